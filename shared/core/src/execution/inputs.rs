//! Inputs: the places whose content a cache key holds, as they were when the attempt was claimed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::cache::key::CacheKey;
use crate::uri::S3Uri;

/// The places in a key. At the step's success they are looked at once more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Inputs {
    /// What was looked up in S3, with its digest; `None` if nothing was there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stored: BTreeMap<S3Uri, Option<String>>,
    /// Prefixes below which steps of the same execution wrote. What they wrote is create-only.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub artifacts: BTreeSet<S3Uri>,
    /// The key in which every place of `stored` stands for itself. A result is found under it
    /// although its step wrote to a place among the arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place_key: Option<CacheKey>,
}

impl Inputs {
    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.artifacts.is_empty()
    }

    /// Returns true if the object is one of the places, or lies below one.
    pub fn cover(&self, uri: &S3Uri) -> bool {
        let is_named =
            |place: &S3Uri| self.stored.contains_key(place) || self.artifacts.contains(place);
        // A key that ends in `*` stands for every key that begins like it.
        let begins_alike = |place: &S3Uri| {
            let start = place.key().strip_suffix('*');
            start.is_some_and(|start| S3Uri::new(place.bucket(), start).covers(uri))
        };
        is_named(uri)
            || uri.ancestors().any(|place| is_named(&place))
            || self.stored.keys().any(begins_alike)
    }
}
