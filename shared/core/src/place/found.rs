//! What is found in arguments: places, and what may name data elsewhere.

use std::collections::BTreeMap;

use crate::definition::property_path::{PropertyPath, Segment};
use crate::uri::S3Uri;

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
