//! Repair: an execution whose commits are lost, put together again from the manifests of its steps.
//!
//! A manifest is taken for a result when its token is one of the execution's, whatever the revision that claimed the attempt, and when all
//! that the step was made from is known too: everything upstream succeeded in the commits that are left, or is taken. The rest runs anew,
//! under numbers that no attempt had.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::graph::{Direction, Graph};
use crate::definition::{Pipeline, StepIndex, StepKind};
use crate::execution::commit::{AttemptResult, Claim, Commit, Completion, Decision, End, Verdict};
use crate::execution::manifest::Manifest;
use crate::execution::phase::Phase;
use crate::execution::result::{Outputs, Produced};
use crate::execution::start::Start;
use crate::execution::{Execution, LAST_REVISION};
use crate::limits::{INLINE_OUTPUT_BYTES, json_bytes};
use crate::plan::report::{check_artifacts, check_outputs};
use crate::uri::S3Uri;

/// What lies in S3 of one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// The highest number of an attempt that left anything.
    pub last_attempt: u32,
    /// Manifests by attempt.
    pub manifests: BTreeMap<u32, (S3Uri, Manifest)>,
}

/// What a repair comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    /// To be created one after the other. They leave the execution Stopped, to be taken up again.
    pub commits: [Commit; 2],
    /// Steps whose results were taken from their manifests.
    pub taken: Vec<StepIndex>,
}

/// Follows the commits that are left, which `execution` is the fold of. Pure.
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
    results.end = Some(End { failure_reason: None, stopped: true });
    let mut taken = Vec::new();
    for step in &pipeline.topological_order {
        let waits = execution.step(*step).phase == Phase::Waiting;
        let Some(found) = found.get(step).filter(|_| waits) else { continue };
        let has_ground =
            graph.reach([*step], Direction::Upstream, usize::MAX).iter().all(|above| {
                known.contains(above)
                    || matches!(pipeline.step(*above).kind, StepKind::Condition { .. })
            });
        let result = if has_ground { result(pipeline, start, *step, found) } else { None };
        let attempt_count = result.as_ref().map_or(found.last_attempt, |(attempt, _)| *attempt);
        let claim = Claim {
            attempt_count,
            lease_until_ms: now_ms,
            started_at_ms: now_ms,
            deadline_ms: None,
            callback_token: None,
            cache: None,
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
            let reason = "it runs anew: not all that it was made from is known".to_owned();
            results.decisions.push(Decision::new(
                *step,
                Verdict::Stopped { attempt_count },
                reason,
            ));
        }
    }
    Repair { commits: [claims, results], taken }
}

/// The last attempt's result whose token is right and whose outputs are as declared.
fn result(
    pipeline: &Pipeline,
    start: &Start,
    step: StepIndex,
    found: &Found,
) -> Option<(u32, Produced)> {
    let id = &start.execution_id;
    found.manifests.iter().rev().find_map(|(attempt, (uri, manifest))| {
        let is_ours = (1..=LAST_REVISION)
            .any(|claim| start.secret.verifies(&manifest.token, id, step, *attempt, claim));
        let prefix = start.attempt_prefix(&pipeline.step(step).name, *attempt);
        let is_legal = check_outputs(pipeline, step, &manifest.outputs).is_ok()
            && check_artifacts(&prefix, &manifest.artifacts).is_ok();
        if !is_ours || !is_legal {
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
