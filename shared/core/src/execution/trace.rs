//! Traces: what an attempt read and wrote in S3, as the embedded cloud's S3 server saw it.
//!
//! On AWS there is no trace. Then only the arguments, the outputs and the attempt's own prefix show
//! what a step touched.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::limits::TRACED_PLACES;
use crate::uri::S3Uri;

/// The bucket name under which the embedded S3 server answers for traces. No bucket can have it,
/// because S3 allows no `_`.
pub const TRACE_BUCKET: &str = "sidestep_traces";

/// What one attempt read and wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Trace {
    /// The objects that it read, with their digests at that moment; `None` if there was none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<S3Uri, Option<String>>,
    /// The prefixes that it listed, with the digests of all that lay below them; `None` if nothing
    /// did.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub listings: BTreeMap<S3Uri, Option<String>>,
    /// The objects that it wrote, with their digests; `None` if it deleted the object.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub writes: BTreeMap<S3Uri, Option<String>>,
    /// What it read more than once, with other content each time.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub changed: BTreeSet<S3Uri>,
    /// If true, it touched more places than are recorded.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_incomplete: bool,
}

impl Trace {
    /// Records a read of an object. What the attempt itself wrote is no input.
    pub fn read(&mut self, uri: S3Uri, digest: Option<String>) {
        if self.writes.get(&uri) == Some(&digest) {
            return;
        }
        match self.reads.get(&uri) {
            None if self.has_room() => drop(self.reads.insert(uri, digest)),
            None => self.is_incomplete = true,
            Some(before) if *before != digest => drop(self.changed.insert(uri)),
            Some(_) => {}
        }
    }

    /// Records a listing of everything that begins with a key.
    pub fn list(&mut self, prefix: S3Uri, digest: Option<String>) {
        match self.listings.get(&prefix) {
            None if self.has_room() => drop(self.listings.insert(prefix, digest)),
            None => self.is_incomplete = true,
            // Its own writes may well lie below.
            Some(before) if *before != digest && !self.wrote_below(&prefix) => {
                self.changed.insert(prefix);
            }
            Some(_) => {}
        }
    }

    /// Records a write, or a deletion with no digest.
    pub fn write(&mut self, uri: S3Uri, digest: Option<String>) {
        if self.writes.contains_key(&uri) || self.has_room() {
            self.writes.insert(uri, digest);
        } else {
            self.is_incomplete = true;
        }
    }

    /// Returns true if it wrote the object, or anything below it as a prefix.
    pub fn wrote(&self, uri: &S3Uri) -> bool {
        self.writes.contains_key(uri) || self.wrote_below(&uri.as_prefix())
    }

    fn wrote_below(&self, prefix: &S3Uri) -> bool {
        // URIs sort by bucket and key, so everything below a prefix follows it.
        self.writes.range(prefix..).next().is_some_and(|(uri, _)| prefix.covers(uri))
    }

    /// Returns how many places it names.
    pub fn count(&self) -> usize {
        self.reads.len() + self.listings.len() + self.writes.len()
    }

    /// Adds what `other` read where this has no read of its own.
    pub fn add_reads(&mut self, other: &Self) {
        for (uri, digest) in &other.reads {
            if !self.reads.contains_key(uri) {
                self.read(uri.clone(), digest.clone());
            }
        }
        for (prefix, digest) in &other.listings {
            if !self.listings.contains_key(prefix) {
                self.list(prefix.clone(), digest.clone());
            }
        }
        self.is_incomplete |= other.is_incomplete;
    }

    /// Keeps only reads, and of them those that `is_kept` names.
    pub fn retain_reads(&mut self, is_kept: impl Fn(&S3Uri) -> bool) {
        self.reads.retain(|uri, _| is_kept(uri));
        self.listings.retain(|prefix, _| is_kept(prefix));
        self.writes.clear();
        self.changed.clear();
    }

    fn has_room(&self) -> bool {
        self.count() < TRACED_PLACES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(key: &str) -> S3Uri {
        S3Uri::new("bucket", key)
    }

    #[test]
    fn what_an_attempt_wrote_itself_is_no_input() {
        let mut trace = Trace::default();
        trace.read(uri("in"), Some("1".into()));
        trace.write(uri("out/a"), Some("2".into()));
        trace.read(uri("out/a"), Some("2".into()));
        assert_eq!(trace.reads.keys().collect::<Vec<_>>(), [&uri("in")]);
        assert!(
            trace.wrote(&uri("out")) && trace.wrote(&uri("out/")) && trace.wrote(&uri("out/a"))
        );
        assert!(!trace.wrote(&uri("ou")) && !trace.wrote(&uri("in")));
        // Another party wrote over it.
        trace.read(uri("out/a"), Some("3".into()));
        assert_eq!(trace.reads[&uri("out/a")].as_deref(), Some("3"));
    }

    #[test]
    fn an_object_that_changes_between_two_reads_is_known() {
        let mut trace = Trace::default();
        for digest in [None, None, Some("1".to_owned())] {
            trace.read(uri("in"), digest);
        }
        assert_eq!((trace.reads[&uri("in")].clone(), trace.changed.len()), (None, 1));
    }

    #[test]
    fn a_trace_says_when_it_lacks_something_and_reads_back_as_it_was() {
        let mut trace = Trace::default();
        for number in 0..=TRACED_PLACES {
            trace.read(uri(&number.to_string()), None);
        }
        assert!(trace.is_incomplete && trace.reads.len() == TRACED_PLACES);
        trace.list(uri("more/"), Some("1".into()));
        trace.write(uri("7"), Some("x".into()));
        assert_eq!((trace.listings.len(), trace.writes.len()), (0, 0));
        let json = serde_json::to_string(&trace).expect("JSON");
        assert_eq!(serde_json::from_str::<Trace>(&json).expect("a trace"), trace);
    }
}
