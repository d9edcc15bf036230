//! Late reports, which come after their attempt was given up. They change nothing, but people want
//! to know of them.

use serde::{Deserialize, Serialize};

use crate::definition::{Pipeline, StepIndex};
use crate::execution::commit::{AttemptResult, Commit, Failure};
use crate::execution::proof::Standing;
use crate::execution::start::Start;
use crate::failure::FailureType;
use crate::plan::event::{Report, ReportedResult};

/// The end of an attempt that had been given up. Outputs and messages are left out, because nothing
/// may build on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LateReport {
    pub step: StepIndex,
    pub attempt_count: u32,
    /// When the report arrived, in milliseconds since 1970.
    pub at_ms: u64,
    /// The type of the attempt's failure; absent if it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_type: Option<String>,
}

/// Returns what to note of a discarded report.
///
/// Returns `None` for a report that repeats what was accepted, and for one that is not of this
/// execution: its proof must be that of an attempt in `commits`, which are all of the execution's.
pub fn late_report(
    report: &Report,
    pipeline: &Pipeline,
    start: &Start,
    commits: &[Commit],
    now_ms: u64,
) -> Option<LateReport> {
    let Report { step: name, attempt_count, proof, result } = report;
    let (step, attempt_count) = (pipeline.find(name)?, *attempt_count);
    let claimed = commits.iter().find(|commit| {
        commit.claim(step).is_some_and(|claim| claim.attempt_count == attempt_count)
    })?;
    if start.standing(proof, step, attempt_count, claimed.revision) != Standing::Proven {
        return None;
    }
    let failure_type = match result {
        ReportedResult::Succeeded { .. } | ReportedResult::Returned(_) => None,
        ReportedResult::Failed(failure) | ReportedResult::Stopped(failure) => {
            Some(failure.error_type.clone())
        }
    };
    let mut ends = commits.iter().flat_map(|commit| &commit.completions);
    let end = ends.find(|end| end.step == step && end.attempt_count == attempt_count);
    let accepted: Option<&Failure> = match end.map(|end| &end.result) {
        Some(AttemptResult::Succeeded(_)) => return None,
        Some(AttemptResult::Failed(failure)) => Some(failure),
        Some(AttemptResult::Retried(retried)) => Some(&retried.failure),
        None => None,
    };
    let is_repeat = accepted.is_some_and(|accepted| {
        !accepted.failure_type().is_some_and(FailureType::was_given_up)
            || failure_type.as_ref() == Some(&accepted.error_type)
    });
    (!is_repeat).then_some(LateReport { step, attempt_count, at_ms: now_ms, failure_type })
}
