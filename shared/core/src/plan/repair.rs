//! Repair: rebuilds an execution whose commits are lost from the manifests of its steps.
//!
//! A manifest counts as a result on two conditions. Its proof is one of the execution's, whatever
//! the revision that claimed the attempt. And everything that the step was made from is known too:
//! everything upstream succeeded in the commits that are left, or its result was taken from a
//! manifest. The rest runs again, under numbers that no attempt had.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::graph::{Direction, Graph};
use crate::definition::{Pipeline, StepIndex, StepKind};
use crate::execution::commit::{AttemptResult, Claim, Commit, Completion, Decision, End, Verdict};
use crate::execution::inputs::Inputs;
use crate::execution::manifest::Manifest;
use crate::execution::phase::Phase;
use crate::execution::proof::Standing;
use crate::execution::result::{Outputs, Produced};
use crate::execution::start::Start;
use crate::execution::{Execution, LAST_REVISION};
use crate::limits::{INLINE_OUTPUT_BYTES, json_bytes};
use crate::plan::result_check::{check_artifacts, check_outputs};
use crate::uri::S3Uri;

/// What one step left in S3.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// The highest number of an attempt that left an object.
    pub last_attempt: u32,
    /// The manifests by attempt.
    pub manifests: BTreeMap<u32, (S3Uri, Manifest)>,
}

/// The commits that repair an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    /// To be created one after the other. They leave the execution Stopped, so that it can be
    /// resumed.
    pub commits: [Commit; 2],
    /// The steps whose results were taken from their manifests.
    pub taken: Vec<StepIndex>,
}

/// Returns the commits that rebuild the execution. They follow the commits that are left, whose
/// fold is `execution`.
pub fn repair(
    pipeline: &Pipeline,
    start: &Start,
    execution: &Execution,
    found: &BTreeMap<StepIndex, Found>,
    now_ms: u64,
) -> Repair {
    let graph = Graph::new(pipeline);
    let mut known: BTreeSet<StepIndex> =
        pipeline.indexes().filter(|step| execution.step(*step).phase.has_succeeded()).collect();
    let mut claims = Commit::new(execution.revision + 1, now_ms);
    let mut results = Commit::new(execution.revision + 2, now_ms);
    results.end = Some(End { stopped: true, ..End::default() });
    let mut taken = Vec::new();
    for step in &pipeline.topological_order {
        let waits = execution.step(*step).phase == Phase::Waiting;
        let Some(found) = found.get(step).filter(|_| waits) else { continue };
        let is_grounded =
            graph.reach([*step], Direction::Upstream, usize::MAX).iter().all(|above| {
                known.contains(above)
                    || matches!(pipeline.step(*above).kind, StepKind::Condition { .. })
            });
        let result = if is_grounded { result(pipeline, start, *step, found) } else { None };
        let attempt_count = result.as_ref().map_or(found.last_attempt, |(attempt, _)| *attempt);
        let claim = Claim {
            attempt_count,
            lease_until_ms: now_ms,
            started_at_ms: now_ms,
            deadline_ms: None,
            callback_token: None,
            job: None,
            cache: None,
            inputs: Inputs::default(),
        };
        let reason = match &result {
            Some(_) => "the result was found in its manifest by a repair",
            None => "an earlier attempt was found by a repair",
        };
        claims.decisions.push(Decision::new(*step, Verdict::Run(claim), reason.to_owned()));
        if let Some((attempt_count, produced)) = result {
            let result = AttemptResult::Succeeded(produced);
            results.completions.push(Completion { step: *step, attempt_count, result });
            known.insert(*step);
            taken.push(*step);
        } else {
            let reason = "it runs again: not all that it was made from is known".to_owned();
            results.decisions.push(Decision::new(
                *step,
                Verdict::Stopped { attempt_count },
                reason,
            ));
        }
    }
    Repair { commits: [claims, results], taken }
}

/// Returns the result of the last attempt whose proof is right and whose outputs are as declared.
fn result(
    pipeline: &Pipeline,
    start: &Start,
    step: StepIndex,
    found: &Found,
) -> Option<(u32, Produced)> {
    found.manifests.iter().rev().find_map(|(attempt, (uri, manifest))| {
        let proof = manifest.proof();
        let is_proven = |claim| start.standing(&proof, step, *attempt, claim) == Standing::Proven;
        let prefix = start.attempt_prefix(&pipeline.step(step).name, *attempt);
        let is_legal = check_outputs(pipeline, step, &manifest.outputs).is_ok()
            && check_artifacts(&prefix, &manifest.artifacts).is_ok();
        if !is_legal || !(1..=LAST_REVISION).any(is_proven) {
            return None;
        }
        let outputs = if json_bytes(&manifest.outputs) <= INLINE_OUTPUT_BYTES {
            Outputs::Inline(manifest.outputs.clone())
        } else {
            Outputs::Stored(uri.clone())
        };
        let (artifacts, duration_ms) = (manifest.artifacts.clone(), manifest.duration_ms);
        Some((*attempt, Produced { outputs, artifacts, duration_ms }))
    })
}
