//! Reports: what arrives when an attempt ends, and whether it counts.

use serde_json::{Map, Value};

use crate::definition::output::{convert_output, is_within_depth};
use crate::definition::{Pipeline, StepIndex};
use crate::execution::commit::{AttemptResult, Claim, Completion, Failure};
use crate::execution::invocation::MANIFEST_NAME;
use crate::execution::manifest::{self, Artifact, Manifest};
use crate::execution::phase::Phase;
use crate::execution::result::{CacheEntry, Outputs, Produced, Source};
use crate::failure::FailureType;
use crate::limits::{
    ARTIFACT_LIST_BYTES, ARTIFACTS, FAILURE_REASON_CHARS, INLINE_OUTPUT_BYTES, OUTPUT_BYTES,
    OUTPUT_DEPTH, artifact_bytes, json_bytes,
};
use crate::plan::draft::Draft;
use crate::plan::effect::{Discarded, Publication, UNKNOWN_STEP};
use crate::plan::event::{Event, Report, ReportedResult};
use crate::plan::facts::Need;
use crate::plan::resolver::Resolver;
use crate::uri::S3Uri;

/// What a report comes to when it counts.
pub(crate) struct Accepted {
    pub(crate) completion: Completion,
    pub(crate) publish: Option<CacheEntry>,
    /// A manifest to write on behalf of a function that does not, because its outputs are too large for a commit.
    pub(crate) manifest: Option<(S3Uri, Manifest)>,
}

pub(crate) enum ReportOutcome {
    /// The claimed attempt failed.
    Failed(StepIndex, Box<Claim>, Failure),
    Accepted(Box<Accepted>),
    Discarded(Discarded),
    Needs(Need),
}

/// Judges a report by the state of its step. The first report of the claimed attempt counts.
pub(crate) fn judge(report: &Report, resolver: &Resolver<'_>) -> ReportOutcome {
    let Report { step: name, attempt_count, token, result } = report;
    let discarded = |reason| {
        let step = name.clone();
        ReportOutcome::Discarded(Discarded { step, attempt_count: *attempt_count, reason })
    };
    let Some(step) = resolver.pipeline.find(name) else { return discarded(UNKNOWN_STEP) };
    let state = resolver.states[step.0];
    if state.phase != Phase::Executing {
        return discarded("the step is not executing");
    }
    let id = &resolver.start.execution_id;
    if !resolver.start.secret.verifies(token, id, step, *attempt_count, state.revision) {
        return discarded("the token is not the claimed attempt's");
    }
    let (claim, claimed_at_ms) = match resolver.claim(step, state.revision) {
        Ok(Some(claimed)) => claimed,
        Ok(None) => return discarded("the claim is not in its commit"),
        Err(need) => return ReportOutcome::Needs(need),
    };
    let completion = |result| Completion { step: step, attempt_count: *attempt_count, result };
    match result {
        ReportedResult::Failed(failure) => {
            ReportOutcome::Failed(step, Box::new(claim.clone()), shorten(failure))
        }
        ReportedResult::Succeeded { outputs, artifacts, duration_ms, manifest } => {
            let since_claim = resolver.facts.now_ms.saturating_sub(claimed_at_ms);
            let duration_ms = duration_ms.unwrap_or(since_claim);
            let prefix = resolver.start.attempt_prefix(name, *attempt_count);
            let checked = check_outputs(resolver.pipeline, step, outputs)
                .and_then(|()| check_artifacts(&prefix, artifacts));
            if let Err(failure) = checked {
                return ReportOutcome::Failed(step, Box::new(claim.clone()), failure);
            }
            let mut to_write = None;
            let size = serde_json::to_vec(outputs).map_or(0, |bytes| bytes.len());
            let kept = if size <= INLINE_OUTPUT_BYTES {
                Outputs::Inline(outputs.clone())
            } else if let Some(uri) = manifest {
                Outputs::Stored(uri.clone())
            } else {
                let uri = prefix.join(MANIFEST_NAME);
                to_write = Some((
                    uri.clone(),
                    Manifest {
                        version: manifest::VERSION,
                        token: token.clone(),
                        outputs: outputs.clone(),
                        artifacts: artifacts.clone(),
                        started_at_ms: resolver.facts.now_ms.saturating_sub(duration_ms),
                        duration_ms,
                    },
                ));
                Outputs::Stored(uri)
            };
            let produced = Produced { outputs: kept, artifacts: artifacts.clone(), duration_ms };
            let publish = claim.cache.as_ref().map(|parts| CacheEntry {
                parts: parts.clone(),
                source: Source {
                    pipeline_execution_arn: resolver.start.execution_arn(),
                    execution_id: id.clone(),
                    step_name: resolver.pipeline.step(step).name.clone(),
                },
                produced: produced.clone(),
                memory_mb: resolver.start.memory_mb(resolver.pipeline.step(step)),
                created_at_ms: resolver.facts.now_ms,
            });
            let completion = completion(AttemptResult::Succeeded(produced));
            ReportOutcome::Accepted(Box::new(Accepted { completion, publish, manifest: to_write }))
        }
    }
}

impl Draft<'_> {
    pub(crate) fn discard_all(&mut self, events: &[Event]) {
        for event in events {
            if let Event::Reported(report) = event {
                self.plan.discarded.push(Discarded {
                    step: report.step.clone(),
                    attempt_count: report.attempt_count,
                    reason: "the execution is over",
                });
            }
        }
    }

    pub(crate) fn report(&mut self, report: &Report) {
        match judge(report, &self.resolver()) {
            ReportOutcome::Needs(need) => {
                self.plan.needs.insert(need);
            }
            ReportOutcome::Discarded(discarded) => self.plan.discarded.push(discarded),
            ReportOutcome::Failed(step, claim, failure) => {
                self.end_failed(step, *claim, failure);
            }
            ReportOutcome::Accepted(accepted) => {
                let Accepted { completion, publish, manifest } = *accepted;
                if !self.fits(json_bytes(&completion)) {
                    self.is_full = true;
                    return;
                }
                let step = completion.step;
                self.plan.publish.extend(publish.map(|entry| Publication { step, entry }));
                self.plan.manifests.extend(manifest);
                self.complete(completion);
            }
        }
    }
}

/// Checks that a commit can hold these artifacts. The attempt wrote them below `prefix`.
pub(crate) fn check_artifacts(prefix: &S3Uri, artifacts: &[Artifact]) -> Result<(), Failure> {
    let prefix = prefix.to_string();
    let names = artifacts.iter().map(|artifact| {
        let uri = artifact.uri.to_string();
        let name = uri.strip_prefix(&prefix).unwrap_or(&uri);
        // A digest is 64 digits, unless the function made it up.
        artifact_bytes(name) + artifact.sha256.len().saturating_sub(64)
    });
    let (count, bytes) = (artifacts.len(), names.sum::<usize>());
    let message = if count > ARTIFACTS {
        format!("the step has {count} artifacts, over the limit of {ARTIFACTS}")
    } else if bytes > ARTIFACT_LIST_BYTES {
        format!(
            "the list of {count} artifacts takes {bytes} bytes, over the limit of \
             {ARTIFACT_LIST_BYTES}: write fewer artifacts, or give them shorter names"
        )
    } else {
        return Ok(());
    };
    Err(Failure::new(FailureType::Artifact, message))
}

/// Checks the size, the depth and the types of a step's outputs.
///
/// Every declared output that was returned must convert to its type.
pub(crate) fn check_outputs(
    pipeline: &Pipeline,
    step: StepIndex,
    outputs: &Map<String, Value>,
) -> Result<(), Failure> {
    let size = serde_json::to_vec(outputs).map_or(0, |bytes| bytes.len());
    if size > OUTPUT_BYTES {
        let message = format!("the outputs have {size} bytes, over the limit of {OUTPUT_BYTES}");
        return Err(Failure::new(FailureType::OutputTooLarge, message));
    }
    if !is_within_depth(outputs) {
        let message = format!("the outputs are nested deeper than {OUTPUT_DEPTH} levels");
        return Err(Failure::new(FailureType::OutputTooDeep, message));
    }
    for declared in pipeline.step(step).outputs() {
        let Some(value) = outputs.get(&declared.name) else { continue };
        convert_output(value, declared.output_type).map_err(|why| {
            Failure::new(FailureType::OutputType, format!("output `{}`: {why}", declared.name))
        })?;
    }
    Ok(())
}

fn shorten(failure: &Failure) -> Failure {
    let cut = |text: &str, limit| text.chars().take(limit).collect::<String>();
    Failure {
        error_type: cut(&failure.error_type, 128),
        message: cut(&failure.message, FAILURE_REASON_CHARS),
    }
}
