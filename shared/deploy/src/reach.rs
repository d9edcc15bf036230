//! Objects of a bucket that a role reaches.

use sidestep_core::uri::S3Uri;

/// One key of a bucket, or all keys that begin with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reach {
    pub bucket: String,
    pub key: String,
    pub is_prefix: bool,
}

impl Reach {
    pub(crate) fn exact(uri: &S3Uri) -> Self {
        let (key, is_start) = match uri.key().strip_suffix('*') {
            Some(start) => (start, true),
            None => (uri.key(), uri.is_prefix()),
        };
        Self { bucket: uri.bucket().into(), key: key.into(), is_prefix: is_start }
    }

    /// Returns the key as IAM's pattern. A character that is special in a pattern becomes `?`,
    /// which matches any one character.
    pub fn pattern(&self) -> String {
        let plain = |c: char| if matches!(c, '*' | '?' | '$') { '?' } else { c };
        let star = if self.is_prefix { "*" } else { "" };
        self.key.chars().map(plain).collect::<String>() + star
    }
}
