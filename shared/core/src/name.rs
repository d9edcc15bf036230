//! Checked names: a bare `String` never names a thing.
//!
//! Each type has one pattern and one limit, taken from the SageMaker service model (botocore
//! 1.44.5) and the published definition schema. They also make a name safe as part of an S3 key: no
//! `/`, no `.`, no control characters.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name that does not match its pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {kind} `{name}`: expected {allowed}")]
pub struct NameError {
    /// The kind of name, such as "step name".
    pub kind: &'static str,
    /// The text as given, cut to 80 characters.
    pub name: String,
    /// The pattern in words.
    pub allowed: &'static str,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn is_pipeline_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=256).contains(&bytes.len())
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

fn is_plain_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(is_word)
}

fn is_execution_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// Returns true for the names that S3 gives to buckets of users [S3 user guide, bucket naming].
fn is_bucket_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_end = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_inner = |byte: &u8| is_end(byte) || *byte == b'-' || *byte == b'.';
    let prefixes = ["xn--", "sthree-", "amzn-s3-demo-"];
    let suffixes = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    (3..=63).contains(&bytes.len())
        && bytes.first().is_some_and(is_end)
        && bytes.last().is_some_and(is_end)
        && bytes.iter().all(is_inner)
        && !text.contains("..")
        && text.parse::<std::net::Ipv4Addr>().is_err()
        && !prefixes.iter().any(|prefix| text.starts_with(prefix))
        && !suffixes.iter().any(|suffix| text.ends_with(suffix))
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $allowed:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The pattern in words, for error texts.
            pub const ALLOWED: &'static str = $allowed;

            /// Checks `text` against the pattern.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                if $check(text) {
                    return Ok(Self(text.to_owned()));
                }
                let name = text.chars().take(80).collect();
                Err(NameError { kind: $kind, name, allowed: Self::ALLOWED })
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }
    };
}

name!(
    /// A pipeline's name, SageMaker's pattern `[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}`.
    PipelineName,
    "pipeline name",
    "1 to 256 letters, digits and inner dashes",
    is_pipeline_name
);
name!(
    /// The name of a bucket in S3.
    BucketName,
    "bucket name",
    "3 to 63 lower-case letters, digits, inner `-` and single inner `.`, not an IP address, and none of S3's reserved prefixes and suffixes",
    is_bucket_name
);
name!(
    /// A step's name, unique in its pipeline, branches included.
    StepName,
    "step name",
    "1 to 64 of letters, digits, `-` and `_`",
    is_plain_name
);
name!(
    /// A parameter's name in a definition.
    ParameterName,
    "parameter name",
    "1 to 64 of letters, digits, `-` and `_`",
    is_plain_name
);
name!(
    /// A Lambda function's name in its account, or in `sidestep.toml`.
    FunctionName,
    "function name",
    "1 to 64 of letters, digits, `-` and `_`",
    is_plain_name
);
name!(
    /// The last segment of an execution's ARN: 12 lower-case letters and digits, like SageMaker's.
    ExecutionId,
    "execution id",
    "12 lower-case letters and digits",
    is_execution_id
);

impl ExecutionId {
    /// Makes an id from random (or hashed) bytes.
    ///
    /// 12 of 36 characters are 62 bits. By the birthday bound, a million executions of one
    /// deployment collide with probability 1e-7, and the conditional write that creates an
    /// execution refuses a collision.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut number = u128::from_be_bytes(bytes);
        let mut text = String::with_capacity(12);
        for _ in 0..12 {
            text.push(char::from(ALPHABET[(number % 36) as usize]));
            number /= 36;
        }
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for text in ["", "../x", "a/b", "a b", "a.b", "é", &"x".repeat(65)] {
            assert!(StepName::parse(text).is_err(), "{text}");
        }
        assert!(StepName::parse("Train_model-2").is_ok());
    }

    #[test]
    fn pipeline_names_follow_the_service_pattern() {
        for text in ["-a", "a-", "a_b", ""] {
            assert!(PipelineName::parse(text).is_err(), "{text}");
        }
        assert!(PipelineName::parse("a--b").is_ok());
    }

    #[test]
    fn buckets_follow_the_rules_of_s3() {
        for text in ["abc", "a-b.c", "0-9", &"x".repeat(63)] {
            assert!(BucketName::parse(text).is_ok(), "{text}");
        }
        let wrong =
            ["ab", "My_Bucket", "UPPER", "-ab", "ab.", "a..b", "192.168.5.4", "xn--a", "a-s3alias"];
        for text in wrong {
            assert!(BucketName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_execution_id_made_from_bytes_parses() {
        let id = ExecutionId::from_bytes([0xff; 16]);
        assert_eq!(ExecutionId::parse(id.as_str()), Ok(id));
    }
}
