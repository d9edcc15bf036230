//! `s3://bucket/key` as a value.
//!
//! A key that is empty or ends in `/` names a prefix: everything below it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::BucketName;

/// An object or a prefix in S3.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct S3Uri {
    bucket: String,
    key: String,
}

/// A text that is not `s3://BUCKET/KEY`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid S3 URI `{}`: {}", .0, S3UriError::expected(.0))]
pub struct S3UriError(pub String);

impl S3UriError {
    /// Returns what is wrong with the bucket's name, or else the form of a URI.
    pub fn expected(text: &str) -> String {
        let bucket = text.strip_prefix("s3://").map(|rest| rest.split('/').next().unwrap_or(rest));
        match bucket.map(BucketName::parse) {
            Some(Err(error)) => error.to_string(),
            _ => "expected s3://BUCKET/KEY".to_owned(),
        }
    }
}

impl S3Uri {
    /// Makes a URI of its parts, without checking them.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into() }
    }

    /// Reads `s3://BUCKET/KEY`. The key may be empty; the bucket must follow S3's naming rules.
    pub fn parse(text: &str) -> Result<Self, S3UriError> {
        let error = || S3UriError(text.chars().take(200).collect());
        let rest = text.strip_prefix("s3://").ok_or_else(error)?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        // Bucket names have 3 to 63 characters and keys up to 1,024 bytes [S3 user guide].
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(legal) || key.len() > 1024 {
            return Err(error());
        }
        Ok(Self::new(bucket, key))
    }

    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns true if this names everything below a prefix, and not one object.
    pub fn is_prefix(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }

    /// Returns the prefix of everything below this, with its final `/`.
    #[must_use]
    pub fn as_prefix(&self) -> Self {
        if self.is_prefix() { self.clone() } else { self.join("") }
    }

    /// Returns true if `other` begins with this: the same bucket, and a key that goes on.
    pub fn covers(&self, other: &Self) -> bool {
        self.bucket == other.bucket && other.key.starts_with(&self.key)
    }

    /// Returns every place that this lies below: each prefix with and without its final `/`, and
    /// the bucket.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        let slashes = self.key.match_indices('/').map(|(at, _)| at);
        let cuts = slashes.flat_map(|at| [at, at + 1]).chain([0]);
        cuts.map(|at| Self::new(self.bucket.clone(), &self.key[..at]))
    }

    /// Returns the URI of `name` below this prefix.
    pub fn join(&self, name: &str) -> Self {
        let slash = if self.is_prefix() { "" } else { "/" };
        Self::new(self.bucket.clone(), format!("{}{slash}{name}", self.key))
    }
}

impl fmt::Display for S3Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl TryFrom<String> for S3Uri {
    type Error = S3UriError;
    fn try_from(text: String) -> Result<Self, S3UriError> {
        Self::parse(&text)
    }
}

impl From<S3Uri> for String {
    fn from(uri: S3Uri) -> Self {
        uri.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_reads_back_as_written() {
        let uri = S3Uri::parse("s3://my-bucket/a b/c+d").expect("legal");
        assert_eq!((uri.bucket(), uri.key()), ("my-bucket", "a b/c+d"));
        assert_eq!(uri.to_string(), "s3://my-bucket/a b/c+d");
        assert!(!uri.is_prefix());
    }

    #[test]
    fn a_prefix_ends_in_a_slash_or_is_the_bucket() {
        assert!(S3Uri::parse("s3://my-bucket").expect("legal").is_prefix());
        let prefix = S3Uri::parse("s3://my-bucket/p/").expect("legal");
        assert_eq!(prefix.join("x").to_string(), "s3://my-bucket/p/x");
    }

    #[test]
    fn other_texts_are_not_uris() {
        for text in ["s3:/a/b", "http://a/b", "s3://UPPER/x", "s3://a/x", ""] {
            assert!(S3Uri::parse(text).is_err(), "{text}");
        }
        let error = S3Uri::parse("s3://My_Bucket/x").expect_err("a wrong bucket").to_string();
        assert!(error.contains("invalid bucket name `My_Bucket`: expected 3 to 63"), "{error}");
    }
}
