//! Batches: uploads that a trigger collects for a while to start one execution for all of them.
//!
//! Time is divided into windows of a fixed number of seconds. An upload belongs to the window of
//! its own time, which its event carries, so a repeated or late event leads to the same window.
//! When a window has ended, its uploads become parts, and each part starts one execution. A part
//! never changes: uploads that arrive later become further parts, and no upload is in two parts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::event::s3::CreatedObject;
use crate::uri::S3Uri;

/// The allowed length of a window, in seconds.
pub const BATCH_SECONDS: RangeInclusive<u32> = 1..=3600;
/// The most uploads in one part.
pub const BATCH_OBJECTS: usize = 10_000;
/// Time after the end of a window in which late events still join its first part.
const GRACE_MS: u64 = 2_000;

/// The name of a window: its trigger's digest, when it begins, and its length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WindowId(String);

impl WindowId {
    /// Returns the window of a time. `trigger` holds all that distinguishes the trigger from
    /// others.
    pub fn of(trigger: &str, seconds: u32, at_ms: u64) -> Self {
        let length_ms = u64::from(seconds) * 1_000;
        let digest = hex::encode(Sha256::digest(format!("{trigger}\0{seconds}")));
        Self(format!("{}-{:015}-{seconds}", &digest[..16], at_ms / length_ms * length_ms))
    }

    /// Reads the text of an id that [`WindowId::of`] made; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(text.to_owned());
        let [digest, start, seconds] = text.split('-').collect::<Vec<_>>().try_into().ok()?;
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_whole = digest.len() == 16
            && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
            && (start.len() == 15 && is_digits(start) && is_digits(seconds))
            && seconds.parse().is_ok_and(|seconds| BATCH_SECONDS.contains(&seconds));
        is_whole.then_some(id)
    }

    /// Returns when the window's uploads are to be started, in milliseconds since 1970.
    pub fn due_ms(&self) -> u64 {
        let mut parts = self.0.split('-').skip(1).map(|part| part.parse().unwrap_or_default());
        let (start, seconds): (u64, u64) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        start + seconds * 1_000 + GRACE_MS
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WindowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An uploaded object in a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchObject {
    pub uri: S3Uri,
    #[serde(rename = "ETag")]
    pub etag: String,
    pub size: u64,
    /// The version; without versioning, the event's sequencer.
    pub version: String,
    /// Orders the uploads of one key.
    pub sequencer: String,
}

impl BatchObject {
    pub fn of(object: &CreatedObject) -> Self {
        Self {
            uri: S3Uri::new(object.bucket.clone(), object.key.clone()),
            etag: object.etag.clone(),
            size: object.size,
            version: object.version_id.clone().unwrap_or_else(|| object.sequencer.clone()),
            sequencer: object.sequencer.clone(),
        }
    }

    /// Returns an id that is unique per upload, also among the versions of one key.
    pub fn id(&self) -> String {
        let digest = Sha256::digest(format!("{}\0{}", self.uri, self.version));
        hex::encode(&digest[..12])
    }
}

/// The uploads that one execution was started for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Part {
    /// The position in the window, from 1.
    pub number: u32,
    /// Where the text of [`listing`] is stored.
    pub listing: S3Uri,
    /// The number of objects in the listing.
    pub count: usize,
    /// The [`BatchObject::id`] of each upload.
    pub uploads: BTreeSet<String>,
}

/// Returns the uploads that are in no part yet, as parts of at most `limit`, in order of URI.
pub fn remaining(
    mut objects: Vec<BatchObject>,
    parts: &[Part],
    limit: usize,
) -> Vec<Vec<BatchObject>> {
    objects.retain(|object| !parts.iter().any(|part| part.uploads.contains(&object.id())));
    objects.sort_by_cached_key(|object| (object.uri.to_string(), object.sequencer.clone()));
    objects.chunks(limit).map(<[_]>::to_vec).collect()
}

/// Returns the listing of a part as JSON, and the number of its objects. An object that was
/// uploaded several times is in it once, as it was uploaded last.
///
/// The listing holds no versions and no times. So the same files make the same listing again, and
/// the steps that read it can be reused.
pub fn listing(uploads: &[BatchObject]) -> (String, usize) {
    let latest: BTreeMap<String, &BatchObject> =
        uploads.iter().map(|object| (object.uri.to_string(), object)).collect();
    let objects: Vec<_> = latest
        .values()
        .map(|object| json!({ "Uri": object.uri, "ETag": object.etag, "Size": object.size }))
        .collect();
    (json!({ "Objects": objects }).to_string(), objects.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn object(key: &str, version: &str) -> BatchObject {
        BatchObject {
            uri: S3Uri::new("inbox", key),
            etag: format!("e-{key}-{version}"),
            size: 3,
            version: version.to_owned(),
            sequencer: version.to_owned(),
        }
    }

    fn part(number: u32, uploads: &[BatchObject]) -> Part {
        let (_, count) = listing(uploads);
        let uploads = uploads.iter().map(BatchObject::id).collect();
        Part { number, listing: S3Uri::new("artifacts", "batches/x.json"), count, uploads }
    }

    #[test]
    fn a_window_is_told_by_trigger_length_and_time() {
        let window = WindowId::of("t", 60, 120_500);
        assert_eq!(window, WindowId::of("t", 60, 179_999));
        assert_eq!(window.due_ms(), 182_000);
        for other in [
            WindowId::of("t", 60, 180_000),
            WindowId::of("u", 60, 120_500),
            WindowId::of("t", 30, 120_500),
        ] {
            assert_ne!(window, other);
        }
        assert_eq!(WindowId::parse(window.as_str()), Some(window));
    }

    #[test]
    fn what_names_no_window_is_refused() {
        let whole = WindowId::of("t", 60, 0).to_string();
        let texts = ["", "-", "a-b-c", &whole[1..], &format!("{whole}-1"), &format!("{whole}00")];
        for text in texts {
            assert_eq!(WindowId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_same_files_in_any_order_are_the_same_listing() {
        let one = [object("b", "1"), object("a", "1")];
        let mut other = one.clone();
        other.reverse();
        for upload in &mut other {
            upload.version = "7".to_owned();
        }
        assert_eq!(listing(&one), listing(&other));
        let again = remaining(vec![object("a", "2"), object("a", "1")], &[], 10);
        let (text, count) = listing(&again[0]);
        assert_eq!(count, 1);
        assert!(text.contains("e-a-2"), "the last upload of a key counts: {text}");
    }

    proptest! {
        #[test]
        fn every_upload_is_in_exactly_one_part(
            keys in prop::collection::vec((0u8..20, 0u8..3), 1..60),
            cuts in prop::collection::vec(0usize..60, 0..5),
            limit in 1usize..7,
        ) {
            let objects: Vec<_> =
                keys.iter().map(|(key, version)| object(&key.to_string(), &version.to_string())).collect();
            let mut parts: Vec<Part> = Vec::new();
            for seen in cuts.into_iter().map(|cut| cut.min(objects.len())).chain([objects.len()]) {
                let mut known: Vec<BatchObject> = Vec::new();
                for object in &objects[..seen] {
                    if !known.contains(object) { known.push(object.clone()); }
                }
                for uploads in remaining(known, &parts.clone(), limit) {
                    prop_assert!(uploads.len() <= limit);
                    let number = u32::try_from(parts.len()).expect("few") + 1;
                    parts.push(part(number, &uploads));
                }
            }
            let distinct: BTreeSet<_> = objects.iter().map(BatchObject::id).collect();
            let listed: Vec<_> = parts.iter().flat_map(|part| part.uploads.iter().cloned()).collect();
            prop_assert_eq!(listed.len(), distinct.len());
            prop_assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), distinct);
        }
    }
}
