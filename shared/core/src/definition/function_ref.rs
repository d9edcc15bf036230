//! References to Lambda functions: a name from `sidestep.toml`, or the ARN of any function.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::name::FunctionName;

/// `FunctionArn` of a Lambda step.
///
/// In JSON it is the text as the definition has it. It is ordered like that text, too, so it can be
/// the key of a map that is looked up by text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FunctionRef {
    /// A function of the project.
    Named(FunctionName),
    /// A function that lives in an account already, with or without a version or alias.
    Arn(LambdaArn),
}

/// `arn:aws[-...]:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]` [Lambda's service model,
/// `FunctionArn`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LambdaArn(String);

/// A text that is neither a function's name nor its ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid function `{text}`: expected {}", FunctionRef::ALLOWED)]
pub struct FunctionRefError {
    /// As given, cut to 80 characters.
    pub text: String,
}

impl FunctionRef {
    /// The pattern in words, for error texts.
    pub const ALLOWED: &str =
        "a function's name of 1 to 64 letters, digits, `-` and `_`, or its ARN";

    /// Reads a name or an ARN.
    pub fn parse(text: &str) -> Result<Self, FunctionRefError> {
        let named = FunctionName::parse(text).map(Self::Named).ok();
        let found = named.or_else(|| LambdaArn::parse(text).map(Self::Arn));
        found.ok_or_else(|| FunctionRefError { text: text.chars().take(80).collect() })
    }

    /// Returns the text as the definition has it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Named(name) => name.as_str(),
            Self::Arn(arn) => arn.as_str(),
        }
    }

    /// Returns the function's name, without the rest of an ARN.
    pub fn function_name(&self) -> &str {
        match self {
            Self::Named(name) => name.as_str(),
            Self::Arn(arn) => arn.function_name(),
        }
    }
}

impl LambdaArn {
    /// Reads a full ARN, or returns `None` for any other text.
    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(9, ':').collect();
        let [arn, partition, service, region, account, resource, name, qualifier @ ..] =
            parts.as_slice()
        else {
            return None;
        };
        let is_lower = |text: &str| {
            text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let is_legal = *arn == "arn"
            && (*partition == "aws" || partition.starts_with("aws-"))
            && is_lower(partition)
            && *service == "lambda"
            && !region.is_empty()
            && is_lower(region)
            && account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && *resource == "function"
            && FunctionName::parse(name).is_ok()
            && match qualifier {
                [] => true,
                [one] => *one == "$LATEST" || is_alias(one),
                _ => false,
            };
        is_legal.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the function's name, without version or alias.
    fn function_name(&self) -> &str {
        self.0.split(':').nth(6).unwrap_or_default()
    }
}

/// Returns true if `text` can be a version or an alias.
fn is_alias(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=128).contains(&text.len()) && text.bytes().all(is_word)
}

impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for FunctionRef {
    type Error = FunctionRefError;
    fn try_from(text: String) -> Result<Self, FunctionRefError> {
        Self::parse(&text)
    }
}

impl From<FunctionRef> for String {
    fn from(function: FunctionRef) -> Self {
        match function {
            FunctionRef::Named(name) => name.into(),
            FunctionRef::Arn(arn) => arn.0,
        }
    }
}

impl std::str::FromStr for FunctionRef {
    type Err = FunctionRefError;
    fn from_str(text: &str) -> Result<Self, FunctionRefError> {
        Self::parse(text)
    }
}

// `Ord` and `Hash` are those of the text, which `Borrow<str>` requires, and which keeps the order
// of stored maps.
impl Ord for FunctionRef {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for FunctionRef {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for FunctionRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for FunctionRef {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_names_or_full_arns() {
        for (text, name) in [
            ("etl", "etl"),
            ("etl_2-x", "etl_2-x"),
            ("arn:aws:lambda:us-east-1:123456789012:function:etl", "etl"),
            ("arn:aws:lambda:us-east-1:123456789012:function:etl:7", "etl"),
            ("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:etl:$LATEST", "etl"),
        ] {
            let function = FunctionRef::parse(text).expect(text);
            assert_eq!((function.as_str(), function.function_name()), (text, name));
            assert_eq!(matches!(function, FunctionRef::Arn(_)), text.starts_with("arn:"));
            let json = serde_json::to_string(&function).expect("a string");
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<FunctionRef>(&json).expect("legal"), function);
        }
        for text in [
            "",
            "a b",
            "a/b",
            "../etl",
            "etl:7",
            &"x".repeat(65),
            "arn:aws:lambda:us-east-1:12345678901:function:etl",
            "arn:aws:lambda:us-east-1:123456789012:layer:etl",
            "arn:aws:lambda:us-east-1:123456789012:function:",
            "arn:aws:lambda:us-east-1:123456789012:function:etl:7:8",
            "arn:aws:sqs:us-east-1:123456789012:etl",
            "arn:gcp:lambda:us-east-1:123456789012:function:etl",
        ] {
            assert!(FunctionRef::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_map_keeps_the_order_of_its_texts() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:etl";
        let functions: Vec<FunctionRef> =
            ["zip", arn, "a"].map(|text| FunctionRef::parse(text).expect(text)).into();
        let ordered: std::collections::BTreeSet<_> = functions.into_iter().collect();
        let texts: Vec<&str> = ordered.iter().map(FunctionRef::as_str).collect();
        assert_eq!(texts, ["a", arn, "zip"]);
        assert!(ordered.contains(arn), "found by its text");
    }
}
