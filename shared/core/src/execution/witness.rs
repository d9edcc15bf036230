//! Witnesses: what a cached result read and left behind, besides its key and its artifacts. A hit
//! checks that all of it is still as it was.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::uri::S3Uri;

/// One place, and what was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Witness {
    pub uri: S3Uri,
    pub role: Role,
    pub view: View,
    /// Absent if nothing was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What the place was to the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// The step read it, and the key does not tell its content.
    Read,
    /// The step wrote it.
    Written,
    /// An output names it.
    Output,
}

/// How the place is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum View {
    /// The object, or else everything below it.
    Content,
    /// The object alone.
    Object,
    /// Everything that begins with the key.
    Listing,
}

impl Witness {
    /// Returns how a place differs from what it was, as the end of a sentence about it. `now` is
    /// its digest, and `None` if nothing is there.
    pub fn change(&self, now: Option<&str>) -> Option<&'static str> {
        let was = self.digest.as_deref();
        if was == now {
            return None;
        }
        Some(match (self.role, was, now) {
            (Role::Read, None, _) => "that it looked for and did not find is there now",
            (Role::Read, _, None) => "that it read is gone",
            (Role::Read, ..) => "that it read has changed",
            (Role::Written, None, _) => "that it deleted is there again",
            (Role::Written, _, None) => "that it wrote is gone",
            (Role::Written, ..) => "that it wrote was overwritten",
            (Role::Output, _, None) => "of the cached result is gone",
            (Role::Output, ..) => "of the cached result was overwritten",
        })
    }
}

/// Adds every S3 URI that is a whole text within `value`.
pub fn places(value: &Value, found: &mut impl Extend<S3Uri>) {
    match value {
        Value::String(text) => found.extend(S3Uri::parse(text)),
        Value::Array(items) => items.iter().for_each(|item| places(item, found)),
        Value::Object(members) => members.values().for_each(|value| places(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_the_words_of_the_places_role() {
        let uri = S3Uri::new("bucket", "key");
        let witness = |role, digest: Option<&str>| Witness {
            uri: uri.clone(),
            role,
            view: View::Object,
            digest: digest.map(str::to_owned),
        };
        for (role, was, now, told) in [
            (Role::Read, Some("1"), Some("1"), None),
            (Role::Written, None, None, None),
            (Role::Read, Some("1"), Some("2"), Some("that it read has changed")),
            (Role::Read, Some("1"), None, Some("that it read is gone")),
            (Role::Written, Some("1"), Some("2"), Some("that it wrote was overwritten")),
            (Role::Written, None, Some("2"), Some("that it deleted is there again")),
            (Role::Output, Some("1"), None, Some("of the cached result is gone")),
        ] {
            assert_eq!(witness(role, was).change(now), told, "{role:?} {was:?} {now:?}");
        }
    }
}
