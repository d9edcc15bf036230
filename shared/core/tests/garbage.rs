//! What a garbage collection removes, against a brute-force reading of the rules.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use sidestep_core::cache::garbage::{
    KnownEntry, KnownExecution, Needs, Staleness, StoredObject, staleness, unneeded,
};
use sidestep_core::cache::key::KeyParts;
use sidestep_core::execution::commit::{Outputs, Produced};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::name::{ExecutionId, StepName};
use sidestep_core::uri::S3Uri;

const BUCKET: &str = "artifacts";
const CUT_OFF_MS: u64 = 100;

fn id(number: u8) -> ExecutionId {
    ExecutionId::from_bytes([number; 16])
}

fn step(number: u8) -> StepName {
    StepName::parse(&format!("S{number}")).unwrap()
}

/// Returns an object of an attempt of an execution's step.
fn object(execution: u8, of: u8, name: &str) -> S3Uri {
    S3Uri::new(BUCKET, format!("runs/p/{}/{}/1/{name}", id(execution), step(of)))
}

fn stored(uris: impl IntoIterator<Item = S3Uri>) -> Vec<StoredObject> {
    uris.into_iter().map(|uri| StoredObject { uri, bytes: 1 }).collect()
}

fn produced(artifacts: &[S3Uri], outputs: &[S3Uri]) -> Produced {
    let artifact = |uri: &S3Uri| Artifact { uri: uri.clone(), bytes: 1, sha256: "00".repeat(32) };
    let outputs = json!({ "uris": outputs });
    Produced {
        outputs: Outputs::Inline(outputs.as_object().unwrap().clone()),
        artifacts: artifacts.iter().map(artifact).collect(),
        duration_ms: 1,
    }
}

fn entry(number: u8, last_used_ms: u64, needs: Needs) -> KnownEntry {
    let key = KeyParts::lambda("code", json!({ "number": number })).key();
    KnownEntry { key, last_used_ms, is_whole: true, needs }
}

fn execution(number: u8, started_at_ms: u64, is_over: bool, needs: Needs) -> KnownExecution {
    KnownExecution { execution_id: id(number), started_at_ms, is_over, needs }
}

fn removed(
    entries: &[KnownEntry],
    executions: &[KnownExecution],
    objects: &[StoredObject],
) -> Vec<S3Uri> {
    let removed = unneeded(BUCKET, CUT_OFF_MS, entries, executions, objects);
    removed.into_iter().map(|object| object.uri.clone()).collect()
}

#[test]
fn entries_go_when_they_are_old_or_no_longer_whole() {
    let of = |last_used_ms, is_whole| {
        let entry = KnownEntry { is_whole, ..entry(0, last_used_ms, Needs::default()) };
        staleness(&entry, CUT_OFF_MS)
    };
    assert_eq!(of(99, true), Some(Staleness::Old));
    assert_eq!(of(99, false), Some(Staleness::Old));
    assert_eq!(of(100, false), Some(Staleness::Incomplete));
    assert_eq!(of(100, true), None);
}

#[test]
fn only_objects_of_attempts_of_known_past_executions_go() {
    let old = object(1, 0, "data.csv");
    let others = [
        object(2, 0, "of-a-young-execution"),
        object(3, 0, "of-a-live-execution"),
        object(4, 0, "of-an-unknown-execution"),
        S3Uri::new("inbox", old.key()),
        S3Uri::new(BUCKET, "definitions/0011"),
        S3Uri::new(BUCKET, format!("other/p/{}/S0/1/x", id(1))),
        S3Uri::new(BUCKET, format!("runs/p/{}/note.txt", id(1))),
        S3Uri::new(BUCKET, format!("runs/p/{}/S0/note.txt", id(1))),
        S3Uri::new(BUCKET, "runs/p/NOT-AN-ID/S0/1/x"),
        S3Uri::new(BUCKET, format!("runs/p/{}/not a step/1/x", id(1))),
    ];
    let executions = [
        execution(1, 99, true, Needs::default()),
        execution(2, 100, true, Needs::default()),
        execution(3, 1, false, Needs::default()),
    ];
    let objects = stored(others.into_iter().chain([old.clone()]));
    assert_eq!(removed(&[], &executions, &objects), [old]);
}

#[test]
fn what_an_output_names_stays_with_all_below_it() {
    let objects = ["a/b/c", "a/bc", "x", "y"].map(|name| object(1, 0, name));
    let mut needs = Needs::default();
    let prefix = object(1, 0, "a/b");
    needs.add(None, &produced(&[objects[2].clone()], &[prefix]));
    let executions =
        [execution(1, 0, true, Needs::default()), execution(2, 200, true, needs.clone())];
    let stays = [objects[1].clone(), objects[3].clone()];
    assert_eq!(removed(&[], &executions, &stored(objects.clone())), stays);
    assert_eq!(removed(&[entry(0, 200, needs)], &executions[..1], &stored(objects)), stays);
}

#[test]
fn what_a_function_wrote_by_itself_stays_with_its_steps_result() {
    let objects = [object(1, 0, "unreported"), object(1, 1, "of-another-step")];
    let mut needs = Needs::default();
    needs.add(Some((id(1), step(0))), &produced(&[], &[]));
    let executions = [execution(1, 0, true, Needs::default())];
    assert_eq!(
        removed(&[entry(0, 200, needs)], &executions, &stored(objects.clone())),
        objects[1..]
    );
}

/// A result in random: where it was made, its artifacts and what its outputs name.
#[derive(Debug, Clone)]
struct RandomResult {
    place: Option<(u8, u8)>,
    artifacts: Vec<S3Uri>,
    outputs: Vec<S3Uri>,
}

impl RandomResult {
    fn needs(results: &[Self]) -> Needs {
        let mut needs = Needs::default();
        for result in results {
            let place = result.place.map(|(execution, of)| (id(execution), step(of)));
            needs.add(place, &produced(&result.artifacts, &result.outputs));
        }
        needs
    }

    /// Applies the rules once more, by comparing texts.
    fn needs_object(&self, uri: &S3Uri) -> bool {
        let text = uri.to_string();
        let is_named = self.artifacts.iter().chain(&self.outputs).any(|named| {
            let named = named.to_string();
            text == named || text.starts_with(&format!("{}/", named.trim_end_matches('/')))
        });
        let is_made_there = self.place.is_some_and(|(execution, of)| {
            text.starts_with(&format!("s3://{BUCKET}/runs/p/{}/{}/", id(execution), step(of)))
        });
        is_named || is_made_there
    }
}

const NAMES: [&str; 4] = ["data", "data/part", "a/b", "manifest.json"];

fn uri() -> impl Strategy<Value = S3Uri> {
    (0..5_u8, 0..3_u8, 0..NAMES.len()).prop_map(|(e, s, name)| object(e, s, NAMES[name]))
}

/// Returns an object's URI, or a prefix of one.
fn named() -> impl Strategy<Value = S3Uri> {
    (uri(), 0..12_usize, any::<bool>()).prop_map(|(uri, levels, has_slash)| {
        let parts: Vec<_> = uri.key().split('/').take(levels.max(3)).collect();
        let slash = if has_slash { "/" } else { "" };
        S3Uri::new(BUCKET, format!("{}{slash}", parts.join("/")))
    })
}

fn result() -> impl Strategy<Value = RandomResult> {
    let place = prop::option::of((0..5_u8, 0..3_u8));
    let parts = (place, prop::collection::vec(uri(), 0..3), prop::collection::vec(named(), 0..2));
    parts.prop_map(|(place, artifacts, outputs)| RandomResult { place, artifacts, outputs })
}

proptest! {
    #[test]
    fn gc_never_removes_what_a_live_entry_or_execution_needs(
        entries in prop::collection::vec((0..200_u64, any::<bool>(), result()), 0..4),
        executions in prop::collection::vec((0..200_u64, any::<bool>(), prop::collection::vec(result(), 0..3)), 0..5),
        objects in prop::collection::btree_set(uri(), 0..30),
    ) {
        let known: Vec<_> = entries
            .iter()
            .map(|(last_used_ms, is_whole, result)| {
                let needs = RandomResult::needs(std::slice::from_ref(result));
                KnownEntry { is_whole: *is_whole, ..entry(0, *last_used_ms, needs) }
            })
            .collect();
        let is_kept: Vec<_> =
            known.iter().map(|entry| staleness(entry, CUT_OFF_MS).is_none()).collect();
        for (kept, (last_used_ms, is_whole, _)) in is_kept.iter().zip(&entries) {
            prop_assert_eq!(*kept, *last_used_ms >= CUT_OFF_MS && *is_whole);
        }
        let remaining: Vec<_> =
            known.iter().zip(&is_kept).filter(|(_, kept)| **kept).map(|(e, _)| e.clone()).collect();
        let of_executions: Vec<_> = (0_u8..)
            .zip(&executions)
            .map(|(number, (at, is_over, results))| {
                execution(number, *at, *is_over, RandomResult::needs(results))
            })
            .collect();
        let stored = stored(objects.iter().cloned());
        let removed: BTreeSet<_> =
            removed(&remaining, &of_executions, &stored).into_iter().collect();

        let live_results = entries
            .iter()
            .zip(&is_kept)
            .filter(|(_, kept)| **kept)
            .map(|((_, _, result), _)| result)
            .chain(
                executions
                    .iter()
                    .filter(|(at, is_over, _)| *at >= CUT_OFF_MS || !is_over)
                    .flat_map(|(_, _, results)| results),
            );
        let live_results: Vec<_> = live_results.collect();
        for uri in &objects {
            let is_needed = live_results.iter().any(|result| result.needs_object(uri));
            let made_by = (0_u8..).zip(&executions).find(|(number, _)| {
                uri.key().contains(id(*number).as_str())
            });
            let is_past =
                made_by.is_some_and(|(_, (at, is_over, _))| *at < CUT_OFF_MS && *is_over);
            prop_assert_eq!(removed.contains(uri), is_past && !is_needed, "{}", uri);
        }
    }
}
