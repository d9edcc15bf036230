//! Garbage: what a collection may remove. These are cache entries that are old or no longer whole,
//! and objects of old executions that nothing needs any more.
//!
//! Only objects of attempts are removed, `runs/PIPELINE/EXECUTION/STEP/ATTEMPT/NAME` in the
//! artifact bucket, and only those of executions that are known, over, and began before the
//! cut-off. Everything else stays, also what this code does not understand.
//!
//! A result needs more than its artifacts. A function that writes to S3 by itself reports none, and
//! its outputs may name what another step wrote. So a result needs everything that its attempts
//! left, and every S3 URI among its outputs with all below it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cache::key::CacheKey;
use crate::execution::commit::{AttemptResult, Verdict};
use crate::execution::past::PastExecution;
use crate::execution::result::{Outputs, Produced, Source};
use crate::execution::witness::places;
use crate::name::{ExecutionId, StepName};
use crate::uri::S3Uri;

/// The place where an object was made: the execution and the step of its attempt.
pub type Place = (ExecutionId, StepName);

/// The objects that results need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Objects, and prefixes with or without their final `/`.
    uris: BTreeSet<S3Uri>,
    places: BTreeSet<Place>,
}

/// A cache entry, as a collection sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEntry {
    pub key: CacheKey,
    /// When it was made, or used last.
    pub last_used_ms: u64,
    /// If true, all its artifacts are still there.
    pub is_whole: bool,
    pub needs: Needs,
}

/// An execution, as a collection sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownExecution {
    pub execution_id: ExecutionId,
    pub started_at_ms: u64,
    pub is_over: bool,
    /// Ignored if the execution [is past](KnownExecution::is_past).
    pub needs: Needs,
}

impl KnownExecution {
    /// Returns true if the execution needs nothing any more.
    pub fn is_past(&self, cut_off_ms: u64) -> bool {
        self.is_over && self.started_at_ms < cut_off_ms
    }
}

/// An object with its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    pub uri: S3Uri,
    pub bytes: u64,
}

/// The reason for removing an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staleness {
    /// It was neither made nor used since the cut-off.
    Old,
    /// An artifact is gone, so the entry can never be hit.
    Incomplete,
}

/// Returns why an entry is removed, and `None` if it stays.
pub fn staleness(entry: &KnownEntry, cut_off_ms: u64) -> Option<Staleness> {
    match entry {
        _ if entry.last_used_ms < cut_off_ms => Some(Staleness::Old),
        KnownEntry { is_whole: false, .. } => Some(Staleness::Incomplete),
        _ => None,
    }
}

/// Returns true if some object is of a past execution, so that [`unneeded`] may return it.
pub fn may_go(
    artifact_bucket: &str,
    cut_off_ms: u64,
    executions: &[KnownExecution],
    objects: &[StoredObject],
) -> bool {
    let ended = executions.iter().filter(|execution| execution.is_past(cut_off_ms));
    let past: BTreeSet<_> = ended.map(|execution| &execution.execution_id).collect();
    objects.iter().any(|object| {
        place(artifact_bucket, &object.uri).is_some_and(|(execution, _)| past.contains(&execution))
    })
}

/// Returns the objects that may be removed if of all cache entries only `remaining` are kept.
///
/// `executions` must hold every execution that is not over, and every one that began at the cut-off
/// or later. The objects of older executions that are missing there stay.
pub fn unneeded<'a>(
    artifact_bucket: &str,
    cut_off_ms: u64,
    remaining: &[KnownEntry],
    executions: &[KnownExecution],
    objects: &'a [StoredObject],
) -> Vec<&'a StoredObject> {
    let is_past: BTreeMap<_, _> = executions
        .iter()
        .map(|execution| (&execution.execution_id, execution.is_past(cut_off_ms)))
        .collect();
    let of_entries = remaining.iter().map(|entry| &entry.needs);
    let present = executions.iter().filter(|execution| !execution.is_past(cut_off_ms));
    let mut needs = Needs::default();
    for more in of_entries.chain(present.map(|execution| &execution.needs)) {
        needs.extend(more);
    }
    let goes = |object: &&StoredObject| {
        place(artifact_bucket, &object.uri).is_some_and(|place| {
            is_past.get(&place.0) == Some(&true)
                && !needs.places.contains(&place)
                && !needs.covers(&object.uri)
        })
    };
    objects.iter().filter(goes).collect()
}

/// Returns every result that an execution's commits name, with the place where a function made it.
pub fn results(execution: &PastExecution) -> Vec<(Option<Place>, &Produced)> {
    let place = |source: &Source| (source.execution_id.clone(), source.step_name.clone());
    let mut results = Vec::new();
    for commit in &execution.commits {
        for completion in &commit.completions {
            if let AttemptResult::Succeeded(produced) = &completion.result {
                let step = execution.pipeline.step(completion.step).name.clone();
                results.push((Some((execution.start.execution_id.clone(), step)), produced));
            }
        }
        for decision in &commit.decisions {
            match &decision.verdict {
                Verdict::CacheHit(hit) => results.push((Some(place(&hit.source)), &hit.produced)),
                Verdict::Reused(reuse) => {
                    results.push((reuse.source.as_ref().map(place), &reuse.produced));
                }
                _ => {}
            }
        }
    }
    results
}

impl Needs {
    /// Adds a result. The caller has to read outputs that are stored, and add them as a value too.
    pub fn add(&mut self, place: Option<Place>, produced: &Produced) {
        self.places.extend(place);
        self.uris.extend(produced.artifacts.iter().map(|artifact| artifact.uri.clone()));
        match &produced.outputs {
            Outputs::Inline(outputs) => outputs.values().for_each(|value| self.add_value(value)),
            Outputs::Stored(uri) => {
                self.uris.insert(uri.clone());
            }
        }
    }

    /// Adds every S3 URI in `value`.
    pub fn add_value(&mut self, value: &Value) {
        places(value, &mut self.uris);
    }

    /// Adds everything that `other` needs.
    pub fn extend(&mut self, other: &Self) {
        self.uris.extend(other.uris.iter().cloned());
        self.places.extend(other.places.iter().cloned());
    }

    /// Returns true if the object is named, or lies below something that is.
    fn covers(&self, object: &S3Uri) -> bool {
        let (bucket, key) = (object.bucket(), object.key());
        let is_named = |key: &str| self.uris.contains(&S3Uri::new(bucket, key));
        let slashes = || key.match_indices('/').map(|(at, _)| at);
        is_named(key)
            || is_named("")
            || slashes().any(|at| is_named(&key[..at]) || is_named(&key[..=at]))
    }
}

/// Returns where an object of an attempt was made, and `None` for every other object.
fn place(artifact_bucket: &str, uri: &S3Uri) -> Option<Place> {
    let parts: Vec<_> = uri.key().splitn(6, '/').collect();
    match parts.as_slice() {
        ["runs", _, execution, step, _, _] if uri.bucket() == artifact_bucket => {
            Some((ExecutionId::parse(execution).ok()?, StepName::parse(step).ok()?))
        }
        _ => None,
    }
}
