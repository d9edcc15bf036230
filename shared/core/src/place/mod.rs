//! Places: the objects in S3 that resolved arguments name, and what may name data elsewhere.
//!
//! A function can read whatever its arguments lead it to. So the content of every place that is
//! found here is part of the cache key, beside the text that names it. A place too many costs at
//! most a needless run, and a place too few could give a stale result. The finder is therefore
//! generous: where a key may end in two ways, both are places.

mod address;
mod assign;
mod form;
mod name;
mod pair;
mod shape;
mod text;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::definition::property_path::{PropertyPath, Segment};
use crate::uri::S3Uri;

pub use address::place;

/// The places in some arguments, and the arguments that may name data elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Objects, prefixes (`s3://BUCKET/in/`) and everything that begins alike
    /// (`s3://BUCKET/in/2024*`).
    pub places: BTreeMap<S3Uri, Certainty>,
    /// What looks like the name of data that no place covers.
    pub unseen: Vec<Unseen>,
}

/// Whether a text surely names this place, or only may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// One of several readings. It counts only if something is stored there.
    Possible,
    /// The reading that functions use. That nothing is stored there counts, too.
    Sure,
}

/// An argument that may name data whose content the planner cannot see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    pub path: Vec<Segment>,
    /// The part of the argument that looks like a name, cut to a readable length.
    pub text: String,
}

impl Unseen {
    /// Returns the argument's path in words, such as `source.files[2]`.
    pub fn argument(&self) -> String {
        PropertyPath(self.path.clone()).to_string()
    }
}

/// What is known about a step besides its arguments.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// The object whose upload started the execution, if the step takes anything of it.
    pub uploaded: Option<&'a S3Uri>,
    /// If true, the function's `reads` say in which buckets lone keys are.
    pub has_reads: bool,
}

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
