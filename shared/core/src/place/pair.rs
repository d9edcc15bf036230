//! Puts buckets and keys together.
//!
//! A key belongs to the buckets of its own object, else of the nearest enclosing object that has
//! some, else to all buckets of the arguments. A bucket without any key is a place as a whole.

use crate::place::address::{place, readings};
use crate::place::found::{Certainty, Found, Surroundings, Unseen};
use crate::place::name::Role;
use crate::place::shape::{holds_file, is_file, is_path, is_scratch, words};
use crate::place::walk::{Key, Object, Walked};
use crate::uri::S3Uri;

/// Returns the places of everything that was collected.
pub(super) fn resolve(walked: Walked, surroundings: Surroundings<'_>) -> Found {
    let mut found = Found { places: walked.places, unseen: walked.unseen };
    let named: Vec<S3Uri> = walked.plain.into_iter().chain(found.places.keys().cloned()).collect();
    let mut has_key = vec![Vec::new(); walked.objects.len()];
    for (position, object) in walked.objects.iter().enumerate() {
        for key in &object.keys {
            let homes = homes(&walked.objects, position);
            if homes.is_empty() {
                if is_lone(key, &named, surroundings) {
                    let text = key.text.chars().take(80).collect();
                    found.unseen.push(Unseen { path: key.path.clone(), text });
                }
                continue;
            }
            let text = &key.text;
            let is_key = key.role != Role::Other || is_file(text) || holds_file(text);
            for home in homes {
                if !is_key && home != position {
                    continue;
                }
                for bucket in &walked.objects[home].buckets {
                    places(bucket, key, is_key, &mut found);
                }
                if is_key {
                    has_key[home].push(());
                }
            }
        }
    }
    for (object, keys) in walked.objects.iter().zip(has_key) {
        let is_uploaded =
            |bucket: &str| surroundings.uploaded.is_some_and(|uri| uri.bucket() == bucket);
        for bucket in object.buckets.iter().filter(|bucket| !is_uploaded(bucket)) {
            if keys.is_empty() {
                found.places.insert(S3Uri::new(bucket, ""), Certainty::Sure);
            }
        }
    }
    found
}

/// Returns the positions of the objects whose buckets a key of the object at `position` is in.
fn homes(objects: &[Object], position: usize) -> Vec<usize> {
    let has_bucket = |at: &usize| !objects[*at].buckets.is_empty();
    let outwards = std::iter::successors(Some(position), |at| objects[*at].parent);
    match outwards.into_iter().find(has_bucket) {
        Some(home) => vec![home],
        None => (0..objects.len()).filter(has_bucket).collect(),
    }
}

/// Adds the places of a key, as a whole and as a list.
fn places(bucket: &str, key: &Key, is_key: bool, found: &mut Found) {
    let mut add = |place: S3Uri, certainty: Certainty| {
        let entry = found.places.entry(place).or_insert(certainty);
        *entry = (*entry).max(certainty);
    };
    let certainty = if is_key { Certainty::Sure } else { Certainty::Possible };
    let text = key.text.as_str();
    if key.role == Role::Prefix && !text.is_empty() && !text.ends_with('/') {
        add(place(bucket, &format!("{text}*")), certainty);
    } else {
        for (uri, certainty) in readings(bucket, text, false, certainty) {
            add(uri, certainty);
        }
    }
    if let Some(inner) = text.strip_prefix('/') {
        add(place(bucket, inner), Certainty::Possible);
    }
    if let Some(inner) = text.strip_prefix(bucket).and_then(|rest| rest.strip_prefix('/')) {
        add(place(bucket, inner), Certainty::Possible);
    }
    if is_key {
        for part in words(text).filter(|part| *part != text) {
            add(place(bucket, part), Certainty::Possible);
        }
    }
}

/// Returns true if a key without a bucket may name data: the function itself knows the bucket.
///
/// A key that repeats the end of a URI in `named`, or a part of the upload's key, names that
/// object.
fn is_lone(key: &Key, named: &[S3Uri], surroundings: Surroundings<'_>) -> bool {
    let text = key.text.as_str();
    let is_end = |uri: &S3Uri| {
        let before = uri.key().strip_suffix(text);
        before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
    };
    let is_uploaded = surroundings.uploaded.is_some_and(|uri| uri.key().contains(text));
    let is_named = is_uploaded || named.iter().any(is_end);
    if surroundings.has_reads || is_named || is_scratch(text) {
        return false;
    }
    let is_word = !text.is_empty() && !text.contains(char::is_whitespace);
    match key.role {
        Role::PlainKey => is_word,
        Role::Key => words(text).any(is_file) || (is_path(text) && !text.starts_with('/')),
        Role::Prefix => is_word && text.contains('/'),
        _ => is_file(text) || holds_file(text),
    }
}
