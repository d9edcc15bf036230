//! Reports: whether the claimed end of an attempt counts, and what is made of it.

use crate::definition::{StepIndex, StepKind};
use crate::execution::commit::{AttemptResult, Claim, Completion, Failure, Verdict, Warning};
use crate::execution::invocation::MANIFEST_NAME;
use crate::execution::manifest::{Artifact, Manifest, Timing};
use crate::execution::phase::Phase;
use crate::execution::proof::Standing;
use crate::execution::result::{CacheEntry, Outputs, Produced, Source};
use crate::failure::FailureType;
use crate::limits::{FAILURE_REASON_CHARS, INLINE_OUTPUT_BYTES, json_bytes};
use crate::name::StepName;
use crate::plan::draft::Draft;
use crate::plan::effect::{Discarded, Publication, UNKNOWN_STEP};
use crate::plan::event::{Event, Report, ReportedResult};
use crate::plan::job_key::observe_job;
use crate::plan::resolver::{Planned, Resolver};
use crate::plan::result_check::{check_artifacts, check_outputs, outputs_of};
use crate::plan::witness::{Success, observe};
use crate::uri::S3Uri;

/// Characters of a failure type that a function may make up.
const FAILURE_TYPE_CHARS: usize = 128;

/// Why a step fails whose function is of a release that left its token in the manifest.
const OUTDATED: &str = "the manifest holds the attempt's token in place of a proof: build the \
                        function with the step SDK of this release";

/// What becomes of a report.
enum ReportOutcome {
    /// The claimed attempt failed.
    Failed(StepIndex, Box<Claim>, Failure),
    /// The claimed attempt was stopped together with the execution.
    Stopped(StepIndex, Failure),
    /// The claimed attempt succeeded.
    Accepted(Box<Accepted>),
    /// The report changes nothing, for this reason.
    Discarded(&'static str),
}

/// A success that counts.
struct Accepted {
    completion: Completion,
    publish: Option<CacheEntry>,
    /// What deserves attention about the result.
    warning: Option<String>,
    /// A manifest to write on behalf of a function that writes none, because its outputs are too
    /// large for a commit.
    manifest: Option<(S3Uri, Manifest)>,
}

impl Draft<'_> {
    /// Takes in a report.
    pub(crate) fn report(&mut self, report: &Report) -> Planned<()> {
        match judge(report, &self.resolver(), self.is_stopping)? {
            ReportOutcome::Discarded(reason) => {
                self.plan.discarded.push(discarded(report, reason));
            }
            ReportOutcome::Failed(step, claim, failure) => {
                self.end_failed(step, *claim, failure);
            }
            ReportOutcome::Stopped(step, Failure { message, .. }) => {
                let attempt_count = report.attempt_count;
                self.record(step, Verdict::Stopped { attempt_count }, message);
            }
            ReportOutcome::Accepted(accepted) => {
                let Accepted { completion, publish, warning, manifest } = *accepted;
                if !self.fits(json_bytes(&completion)) {
                    self.has_deferred_result = true;
                    return Ok(());
                }
                let step = completion.step;
                self.plan.publish.extend(publish.map(|entry| Publication { step, entry }));
                self.plan.manifests.extend(manifest);
                let warning = warning.map(|message| Warning { step, message });
                self.plan.commit.warnings.extend(warning);
                self.complete(completion);
            }
        }
        Ok(())
    }

    /// Discards every report among `events`: the execution is over.
    pub(crate) fn discard_reports(&mut self, events: &[Event]) {
        for event in events {
            if let Event::Reported(report) = event {
                self.plan.discarded.push(discarded(report, "the execution is over"));
            }
        }
    }
}

fn discarded(report: &Report, reason: &'static str) -> Discarded {
    Discarded { step: report.step.clone(), attempt_count: report.attempt_count, reason }
}

/// Judges a report by the state of its step. The first report of the claimed attempt counts.
fn judge(report: &Report, resolver: &Resolver<'_>, is_stopping: bool) -> Planned<ReportOutcome> {
    let Report { step: name, attempt_count, proof, .. } = report;
    let discarded = |reason| Ok(ReportOutcome::Discarded(reason));
    let Some(step) = resolver.pipeline.find(name) else { return discarded(UNKNOWN_STEP) };
    let state = resolver.states[step.0];
    if state.phase != Phase::Executing {
        return discarded("the step is not executing");
    }
    let start = resolver.start;
    let standing = start.standing(proof, step, *attempt_count, state.revision);
    if standing == Standing::Unproven {
        return discarded("the proof is not the claimed attempt's");
    }
    let Some((claim, claimed_at_ms)) = resolver.claim(step, state.revision)? else {
        return discarded("the claim is not in its commit");
    };
    if standing == Standing::Outdated {
        let failure = Failure::new(FailureType::Report, OUTDATED);
        return Ok(ReportOutcome::Failed(step, Box::new(claim.clone()), failure));
    }
    match &report.result {
        ReportedResult::Stopped(failure) if is_stopping => {
            Ok(ReportOutcome::Stopped(step, failure.clone()))
        }
        _ => conclude(report, step, claim, claimed_at_ms, resolver),
    }
}

/// Concludes from a report that counts.
fn conclude(
    report: &Report,
    step: StepIndex,
    claim: &Claim,
    claimed_at_ms: u64,
    resolver: &Resolver<'_>,
) -> Planned<ReportOutcome> {
    let (start, now_ms) = (resolver.start, resolver.facts.now_ms);
    let attempt_count = report.attempt_count;
    let failed = |failure| Ok(ReportOutcome::Failed(step, Box::new(claim.clone()), failure));
    let took_ms = now_ms.saturating_sub(claimed_at_ms);
    let returned;
    let (outputs, artifacts, duration_ms, manifest): (_, &[Artifact], _, _) = match &report.result {
        ReportedResult::Failed(failure) | ReportedResult::Stopped(failure) => {
            return failed(shorten(failure));
        }
        ReportedResult::Returned(value) => {
            returned = match outputs_of(resolver.pipeline, step, value) {
                Ok(outputs) => outputs,
                Err(failure) => return failed(failure),
            };
            (&returned, &[], took_ms, &None)
        }
        ReportedResult::Succeeded { outputs, artifacts, duration_ms, manifest } => {
            (outputs, artifacts, duration_ms.unwrap_or(took_ms), manifest)
        }
    };
    let prefix = start.attempt_prefix(&report.step, attempt_count);
    let checked = check_outputs(resolver.pipeline, step, outputs)
        .and_then(|()| check_artifacts(&prefix, artifacts));
    if let Err(failure) = checked {
        return failed(failure);
    }
    let (kept, to_write) = match manifest {
        _ if json_bytes(outputs) <= INLINE_OUTPUT_BYTES => (Outputs::Inline(outputs.clone()), None),
        Some(uri) => (Outputs::Stored(uri.clone()), None),
        None => {
            let claimed = resolver.states[step.0].revision;
            let token = start.secret.token(&start.execution_id, step, attempt_count, claimed);
            let started_at_ms = now_ms.saturating_sub(duration_ms);
            let timing = Timing { started_at_ms, duration_ms };
            let manifest = Manifest::new(&token, outputs.clone(), artifacts.to_vec(), timing);
            let uri = prefix.join(MANIFEST_NAME);
            (Outputs::Stored(uri.clone()), Some((uri, manifest)))
        }
    };
    let produced = Produced { outputs: kept, artifacts: artifacts.to_vec(), duration_ms };
    let success = Success {
        claim,
        prefix: &prefix,
        outputs,
        artifacts,
        reports_artifacts: !artifacts.is_empty()
            || start.function(resolver.pipeline.step(step)).is_some_and(|it| it.has_sdk),
    };
    let (publish, warning) = published(&success, &produced, step, resolver)?;
    let completion = Completion { step, attempt_count, result: AttemptResult::Succeeded(produced) };
    let accepted = Accepted { completion, publish, warning, manifest: to_write };
    Ok(ReportOutcome::Accepted(Box::new(accepted)))
}

/// Returns the cache entry of a success, and what deserves attention about it.
fn published(
    success: &Success<'_>,
    produced: &Produced,
    step: StepIndex,
    resolver: &Resolver<'_>,
) -> Planned<(Option<CacheEntry>, Option<String>)> {
    let Some(parts) = &success.claim.cache else { return Ok((None, None)) };
    let looking = Resolver { reader: Some(step), ..*resolver };
    let looked = match &resolver.pipeline.step(step).kind {
        StepKind::Job(job) => observe_job(&looking, job, success)?,
        _ => observe(&looking, success)?,
    };
    let observed = match looked {
        Ok(observed) => observed,
        Err(why) => return Ok((None, Some(format!("its result is not cached: {why}")))),
    };
    let (start, step) = (resolver.start, resolver.pipeline.step(step));
    let warning = uncovered(&step.name, &observed.uncovered);
    let entry = CacheEntry {
        parts: parts.clone(),
        source: Source {
            pipeline_execution_arn: start.execution_arn(),
            execution_id: start.execution_id.clone(),
            step_name: step.name.clone(),
        },
        produced: produced.clone(),
        memory_mb: start.memory_mb(step),
        created_at_ms: resolver.facts.now_ms,
        witnesses: observed.witnesses,
        place_key: observed.place_key,
        used_at_ms: None,
    };
    Ok((Some(entry), warning))
}

/// Returns the warning about what a step read although its key does not tell it.
fn uncovered(step: &StepName, read: &[S3Uri]) -> Option<String> {
    let first = read.first()?;
    let others = match read.len() - 1 {
        0 => String::new(),
        1 => ", nor another place".to_owned(),
        count => format!(", nor {count} other places"),
    };
    Some(format!(
        "{step} read {first}, which its key does not cover{others}: name it in the step's `Reads`"
    ))
}

fn shorten(failure: &Failure) -> Failure {
    let cut = |text: &str, limit| text.chars().take(limit).collect::<String>();
    Failure {
        error_type: cut(&failure.error_type, FAILURE_TYPE_CHARS),
        message: cut(&failure.message, FAILURE_REASON_CHARS),
    }
}
