//! The cache key: SHA-256 of the canonical JSON of what a step's result depends on.
//!
//! A result depends on the code's digest and on the resolved arguments, in which every argument
//! that is an S3 URI stands for the digest of what it holds. The places that other texts name enter
//! with their digests. No name, time, execution id or path enters, so renaming a pipeline,
//! registering it again, or the prefix of a new execution never costs a hit. The parts are kept
//! beside the key, so that a miss can be explained.
//!
//! Canonical means compact, members in byte order of their names, integers with all digits, and
//! floats in the shortest form that reads back. RFC 8785 was tried and is not used. It makes every
//! number a float, so 9007199254740993 and ...992, or 6 and 6.0, would share a key although a
//! function can tell them apart.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::definition::StepType;
use crate::execution::invocation::{MANIFEST_NAME, ManifestKey};
use crate::uri::S3Uri;

/// The version of the parts. It is raised when their meaning changes; older entries are then never
/// hit.
const KEY_VERSION: u32 = 1;

/// Marks a string of [`KeyParts::arguments`] as the digest of S3 content. NUL cannot occur in a
/// real URI or path, so no literal argument looks like a digest by accident.
pub(crate) const CONTENT_MARK: &str = "\u{0}s3:";

/// A cache key: 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CacheKey(String);

impl CacheKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The digests of places, by their URIs; `None` where nothing is stored.
pub type Contents = BTreeMap<S3Uri, Option<String>>;

/// The parts of a key: what a result depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyParts {
    pub key_version: u32,
    pub step_type: String,
    pub code_digest: String,
    /// The resolved arguments with content digests in place of S3 URIs.
    pub arguments: Value,
    /// The digest of every other place that the arguments or declarations name, and `None` where
    /// nothing is stored. The arguments keep the texts that name these places.
    #[serde(default, skip_serializing_if = "Contents::is_empty")]
    pub contents: Contents,
    /// The scope within which the result is shared; absent if it is the whole deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl KeyParts {
    /// Makes the parts for a Lambda step, in this release's version. `arguments` come from
    /// [`replace_content`].
    pub fn lambda(code_digest: &str, arguments: Value) -> Self {
        Self {
            key_version: KEY_VERSION,
            step_type: StepType::Lambda.name().to_owned(),
            code_digest: code_digest.to_owned(),
            arguments,
            contents: Contents::new(),
            scope: None,
        }
    }

    /// Makes the parts for a job, whose code is among its inputs.
    pub fn job(step_type: StepType, arguments: Value) -> Self {
        Self { step_type: step_type.name().to_owned(), ..Self::lambda("", arguments) }
    }

    /// Returns the parts as people and programs see them, in which `content sha256:...` stands for
    /// the content of an S3 URI.
    pub fn readable(&self) -> Self {
        Self { arguments: readable(&self.arguments), ..self.clone() }
    }

    /// Returns the key of these parts.
    pub fn key(&self) -> CacheKey {
        CacheKey(canonical_sha256(&json!(self)))
    }
}

fn readable(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix(CONTENT_MARK) {
            Some(digest) => Value::String(format!("content {digest}")),
            None => value.clone(),
        },
        Value::Array(items) => items.iter().map(readable).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), readable(value))).collect()
        }
        _ => value.clone(),
    }
}

/// Returns the SHA-256 of a value as canonical JSON, in hexadecimal.
pub(crate) fn canonical_sha256(value: &Value) -> String {
    let mut canonical = value.clone();
    canonical.sort_all_objects();
    hex::encode(Sha256::digest(canonical.to_string()))
}

/// Returns the first eight digits of a digest, which are enough for people.
pub(crate) fn short_digest(digest: &str) -> &str {
    let start = digest.find(':').map_or(0, |colon| colon + 1);
    digest.get(start..start + 8).unwrap_or(digest)
}

/// The content of an S3 URI, as a key sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The digest of an object or of everything below a prefix.
    Digest(String),
    /// Nothing is there. The URI is a place to write to, and stands for itself.
    Nothing,
}

impl Content {
    /// Returns the digest, and `None` if nothing is there.
    pub fn into_digest(self) -> Option<String> {
        match self {
            Self::Digest(digest) => Some(digest),
            Self::Nothing => None,
        }
    }
}

/// Returns `value` with every string that is an S3 URI replaced by what it holds.
///
/// Only whole strings count. [`crate::place`] finds what other texts name. `content` fails where
/// the content has to be asked for first. All URIs are visited even then, so that one round of
/// look-ups gathers everything.
pub fn replace_content<E>(
    value: &Value,
    content: &mut dyn FnMut(&S3Uri) -> Result<Content, E>,
) -> Result<Value, E> {
    match value {
        Value::String(text) => match S3Uri::parse(text) {
            Ok(uri) => Ok(Value::String(match content(&uri)? {
                Content::Digest(digest) => format!("{CONTENT_MARK}{digest}"),
                Content::Nothing => text.clone(),
            })),
            Err(_) => Ok(value.clone()),
        },
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| replace_content(item, content)).collect();
            items.into_iter().collect()
        }
        Value::Object(members) => {
            let replace = |(name, value)| (String::clone(name), replace_content(value, content));
            let replaced: Vec<_> = members.iter().map(replace).collect();
            let members = replaced.into_iter().map(|(name, value)| Ok((name, value?)));
            members.collect::<Result<serde_json::Map<_, _>, _>>().map(Value::Object)
        }
        _ => Ok(value.clone()),
    }
}

/// Returns the digest of everything that begins with the key of `prefix`: of the sorted list of
/// the rest of each key with the content's digest.
///
/// Manifests of attempts are left out. They hold tokens and times, which are new on every run.
pub fn listing_digest<'a>(
    prefix: &S3Uri,
    entries: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let is_manifest = |name: &str| {
        let uri = || S3Uri::new(prefix.bucket(), format!("{}{name}", prefix.key()));
        name.ends_with(MANIFEST_NAME) && ManifestKey::of(&uri()).is_some()
    };
    let mut lines: Vec<_> = entries.into_iter().filter(|(name, _)| !is_manifest(name)).collect();
    lines.sort_unstable();
    let mut hash = Sha256::new();
    for (name, digest) in lines {
        // S3 refuses keys with NUL, so the separators keep the encoding one to one.
        hash.update(name.as_bytes());
        hash.update(b"\0");
        hash.update(digest.as_bytes());
        hash.update(b"\0");
    }
    format!("listing:{}", hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn digest(uri: &S3Uri) -> Result<Content, ()> {
        match uri.key() {
            "missing" => Err(()),
            "nothing" => Ok(Content::Nothing),
            _ => Ok(Content::Digest("sha256:00".to_owned())),
        }
    }

    #[test]
    fn the_same_content_under_another_uri_has_the_same_key() {
        let key = |uri: &str| {
            let arguments = json!({"data": {"uri": uri}, "k": 5});
            let resolved = replace_content(&arguments, &mut digest).expect("known");
            KeyParts::lambda("sha256:code", resolved).key()
        };
        assert_eq!(key("s3://bucket/runs/a"), key("s3://bucket/runs/b"));
        assert_ne!(key("s3://bucket/runs/a"), key("s3://bucket/nothing"));
    }

    #[test]
    fn every_part_changes_the_key() {
        let base = KeyParts::lambda("sha256:code", json!({"k": 5}));
        assert_ne!(base.key(), KeyParts::lambda("sha256:other", json!({"k": 5})).key());
        assert_ne!(base.key(), KeyParts::lambda("sha256:code", json!({"k": "5"})).key());
        assert_ne!(base.key(), KeyParts { key_version: 0, ..base.clone() }.key());
        let place = S3Uri::new("bucket", "key");
        let content = |digest: Option<&str>| KeyParts {
            contents: [(place.clone(), digest.map(str::to_owned))].into(),
            ..base.clone()
        };
        let others = [None, Some("sha256:a"), Some("sha256:b")].map(|digest| content(digest).key());
        let keys: BTreeSet<_> = others.into_iter().chain([base.key()]).collect();
        assert_eq!(keys.len(), 4);
    }

    #[test]
    fn the_order_of_members_does_not_change_the_key() {
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let one = KeyParts::lambda("c", parse(r#"{"a":1,"b":{"x":1,"y":2}}"#));
        let two = KeyParts::lambda("c", parse(r#"{"b":{"y":2,"x":1},"a":1}"#));
        assert_eq!(one.key(), two.key());
    }

    #[test]
    fn numbers_that_a_function_can_tell_apart_have_keys_of_their_own() {
        let key = |n: i64| KeyParts::lambda("c", json!({ "n": n })).key();
        assert_ne!(key(9_007_199_254_740_993), key(9_007_199_254_740_992));
        let key = |n: Value| KeyParts::lambda("c", n).key();
        assert_ne!(key(json!(6)), key(json!(6.0)));
    }

    #[test]
    fn all_missing_contents_are_asked_for_at_once() {
        let mut asked = Vec::new();
        let value =
            json!(["s3://bucket/missing", {"x": "s3://bucket/missing"}, "s3://bucket/other"]);
        let result = replace_content(&value, &mut |uri| {
            asked.push(uri.to_string());
            digest(uri)
        });
        assert_eq!(result, Err(()));
        assert_eq!(asked.len(), 3);
    }

    #[test]
    fn a_listing_ignores_order_and_the_manifests_of_attempts_alone() {
        let digest = |prefix: &str, names: &[(&str, &str)]| {
            listing_digest(&S3Uri::new("bucket", prefix), names.iter().copied())
        };
        let two = [("a", "1"), ("b", "2")];
        assert_eq!(digest("in/", &[("b", "2"), ("a", "1")]), digest("in/", &two));
        assert_ne!(digest("in/", &[("a", "2"), ("b", "2")]), digest("in/", &two));
        for (prefix, name, is_left_out) in [
            ("runs/p/abcdefghijkl/S/1/", "manifest.json", true),
            ("runs/p/", "abcdefghijkl/S/1/manifest.json", true),
            ("runs/p/abcdefghijkl/S/1/", "data/manifest.json", false),
            ("in/", "manifest.json", false),
            ("", "in/manifest.json", false),
        ] {
            let with = digest(prefix, &[two[0], two[1], (name, "9")]);
            assert_eq!(with == digest(prefix, &two), is_left_out, "{prefix} {name}");
        }
    }
}
