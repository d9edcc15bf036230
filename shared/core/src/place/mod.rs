//! Places: the objects in S3 that resolved arguments name, and what may name data elsewhere.
//!
//! A function can read whatever its arguments lead it to. So the content of every place that is
//! found here is part of the cache key, beside the text that names it. A place too many costs at
//! most a needless run, and a place too few could give a stale result. The finder is therefore
//! generous: where a key may end in two ways, both are places.

mod address;
mod assign;
mod form;
mod found;
mod name;
mod pair;
mod shape;
mod text;
mod walk;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::uri::S3Uri;

pub use address::place;
pub use found::{Certainty, Found, Surroundings, Unseen};

/// Finds every place in `arguments`.
///
/// A whole string that is a plain `s3://BUCKET/KEY` is left out: [`crate::cache::key`] puts its
/// content in its place.
pub fn find(arguments: &Value, surroundings: Surroundings<'_>) -> Found {
    pair::resolve(walk::walk(arguments), surroundings)
}

/// Finds the places that a function's environment variables name. A bucket alone is none.
pub fn in_environment<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<S3Uri> {
    let variables: Vec<_> = variables.collect();
    let members = variables.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
    let found = find(&Value::Object(members.collect()), Surroundings::default());
    let plain = variables.iter().filter_map(|(_, value)| S3Uri::parse(value).ok());
    let sure = found.places.into_iter().filter(|(_, certainty)| *certainty == Certainty::Sure);
    let places: BTreeSet<_> = sure.map(|(uri, _)| uri).chain(plain).collect();
    places.into_iter().filter(|uri| !uri.key().is_empty()).collect()
}
