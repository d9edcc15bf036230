//! One action on one resource.

use std::collections::BTreeMap;

/// The account and the region of the services.
#[derive(Debug, Clone)]
pub struct Place {
    pub region: String,
    pub account_id: String,
}

impl Place {
    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account_id)
    }
}

/// An action on a resource, with the condition keys that policies may look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked {
    /// Such as `s3:GetObject`.
    pub action: String,
    /// The resource's ARN, or `*` for an action without resources.
    pub resource: String,
    pub context: BTreeMap<&'static str, Vec<String>>,
}

impl Asked {
    /// Returns an action without any condition key.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), context: BTreeMap::new() }
    }

    /// Returns `s3:ListBucket` on a bucket, for the keys that begin so.
    pub fn list(bucket: &str, prefix: Option<String>) -> Self {
        let mut asked = Self::new("s3:ListBucket", format!("arn:aws:s3:::{bucket}"));
        asked.context.extend(prefix.map(|prefix| ("s3:prefix", vec![prefix])));
        asked
    }
}
