//! How a finished step's successors are started, and what an invocation takes along for it.
//!
//! On the event road a step writes its manifest and the planner goes on. On the direct road the finishing step makes the planner's commit itself
//! and invokes its successors. So that it need not read anything for that, its invocation carries the state as it was when the attempt was claimed.
//! That state may be old by then: a commit on top of it is lost to the one that is there, folded, and decided again, as between two planners.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::definition::function_ref::FunctionRef;
use crate::definition::{Pipeline, StepKind};
use crate::execution::commit::Claimed;
use crate::execution::invocation::RESERVED_KEY;
use crate::execution::phase::{ExecutionStatus, Phase, Revision, StepState};
use crate::execution::savings::Savings;
use crate::execution::start::Start;
use crate::execution::{Execution, FoldError};
use crate::limits::json_bytes;
use crate::plan::effect::{Effect, Plan};

/// The key below [`RESERVED_KEY`] under which an invocation takes the state along.
pub const STATE_KEY: &str = "State";

/// The largest invocation that takes the state along; in a larger one the step reads the state. Lambda bills an asynchronous invocation of more as
/// another request (<https://aws.amazon.com/lambda/pricing/>).
const MOST_BYTES: usize = 200_000;

/// Which roads a finished step's result takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Handoff {
    /// The manifest's S3 event reaches the planner.
    #[default]
    Event,
    /// The finishing step commits and invokes. A manifest is written only where there are artifacts or large outputs.
    Direct,
    /// The finishing step commits and invokes, and always writes the manifest: whichever road is first counts.
    Both,
}

impl Handoff {
    /// Whether steps may commit.
    pub fn is_direct(self) -> bool {
        self != Self::Event
    }
}

impl fmt::Display for Handoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Event => "event",
            Self::Direct => "direct",
            Self::Both => "both",
        })
    }
}

/// A text that is no [`Handoff`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of `event`, `direct`, `both`")]
pub struct UnknownHandoff(String);

impl FromStr for Handoff {
    type Err = UnknownHandoff;

    fn from_str(text: &str) -> Result<Self, UnknownHandoff> {
        let all = [Self::Event, Self::Direct, Self::Both];
        let found = all.into_iter().find(|handoff| handoff.to_string() == text);
        found.ok_or_else(|| UnknownHandoff(text.to_owned()))
    }
}

/// The state of an execution as an invocation carries it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CarriedState {
    pub start: Start,
    status: ExecutionStatus,
    revision: Revision,
    /// As in `HEAD`.
    steps: String,
    saved_ms: u64,
    saved_usd: f64,
    /// The claim on the step, and when it was made: what the step's report is weighed against.
    pub claimed: Claimed,
}

/// Steps that a state says are under way.
fn under_way(steps: &[StepState]) -> usize {
    steps.iter().filter(|state| !state.phase.is_over() && state.phase != Phase::Waiting).count()
}

/// When branches are too many to commit one after another. They then leave their results to the planner, which takes many into one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contention {
    /// Fewer steps under way are no crowd.
    pub min_steps: usize,
    /// How long a commit keeps the others from theirs.
    pub commit_ms: u64,
}

impl Default for Contention {
    /// A commit that is read, written and followed takes some 5 ms on AWS.
    fn default() -> Self {
        Self { min_steps: 4, commit_ms: 5 }
    }
}

impl Contention {
    /// Whether steps, of which this many were under way, cannot all have committed in the time since. Those that began together mostly end
    /// together: when the time was too short for all, most of them are about to commit now.
    fn is_likely(self, under_way: usize, elapsed_ms: u64) -> bool {
        let width = u64::try_from(under_way).unwrap_or(u64::MAX);
        under_way >= self.min_steps && elapsed_ms < width.saturating_mul(self.commit_ms)
    }

    /// Whether so many are under way that who loses a commit will most likely lose the next one, too.
    pub fn is_high(self, execution: &Execution) -> bool {
        under_way(&execution.steps) >= self.min_steps
    }
}

impl CarriedState {
    /// Whether nothing else ran when the attempt was claimed: then the state is most likely still as it was.
    pub fn is_alone(&self) -> bool {
        self.under_way() == 1
    }

    /// Whether the attempt ends in a crowd, if it ends now.
    pub fn is_crowded(&self, crowd: Contention, now_ms: u64) -> bool {
        crowd.is_likely(self.under_way(), now_ms.saturating_sub(self.claimed.at_ms))
    }

    fn under_way(&self) -> usize {
        let steps = Execution::decode_steps(&self.steps).unwrap_or_default();
        under_way(&steps)
    }

    pub fn execution(&self) -> Result<Execution, FoldError> {
        Ok(Execution {
            status: self.status,
            revision: self.revision,
            steps: Execution::decode_steps(&self.steps)?,
            saved: Savings { ms: self.saved_ms, usd: self.saved_usd },
        })
    }
}

/// Gives the invocations of a plan the state along that they leave: `execution`, with the plan's commit folded in.
///
/// Functions that the definition names by ARN belong to somebody else, who is told nothing. What is too large stays behind.
pub fn attach_state(pipeline: &Pipeline, start: &Start, execution: &Execution, plan: &mut Plan) {
    let Plan { commit, effects, .. } = plan;
    for effect in effects {
        let Effect::InvokeStep { step, payload, .. } = effect else { continue };
        let StepKind::Lambda(lambda) = &pipeline.step(*step).kind else { continue };
        let Some(claimed) = Claimed::of(commit, *step) else { continue };
        if matches!(lambda.function_arn, FunctionRef::Arn(_)) {
            continue;
        }
        let carried = json!(CarriedState {
            start: start.clone(),
            status: execution.status,
            revision: execution.revision,
            steps: execution.encode_steps(),
            saved_ms: execution.saved.ms,
            saved_usd: execution.saved.usd,
            claimed,
        });
        if json_bytes(payload) + json_bytes(&carried) <= MOST_BYTES {
            payload[RESERVED_KEY][STATE_KEY] = carried;
        }
    }
}

/// Takes the state out of an event's reserved key. One that cannot be read counts as none: a newer planner wrote it.
pub fn take_state(reserved: &mut Value) -> Option<CarriedState> {
    let value = reserved.as_object_mut()?.remove(STATE_KEY)?;
    serde_json::from_value(value).ok()
}

/// Whether a finishing step may carry out what a plan asks for. Messages and calls at a later time are left to the planner, so that a step's
/// function needs no right to any queue.
pub fn is_for_a_step(plan: &Plan) -> bool {
    plan.effects.iter().all(|effect| matches!(effect, Effect::InvokeStep { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::key::KeyParts;
    use crate::definition::StepIndex;
    use crate::execution::commit::{Claim, Commit, Decision, Verdict};
    use crate::execution::token::Secret;
    use crate::name::{ExecutionId, PipelineName};
    use crate::parse::{Format, parse};
    use crate::uri::S3Uri;

    fn start() -> Start {
        Start {
            state_version: 1,
            execution_id: ExecutionId::from_bytes([7; 16]),
            pipeline_name: PipelineName::parse("p").expect("legal"),
            definition_digest: "sha256:d".to_owned(),
            definition_format: Format::Json,
            parameters: std::collections::BTreeMap::new(),
            functions: std::collections::BTreeMap::new(),
            left_out: std::collections::BTreeMap::new(),
            started_at_ms: 1,
            use_cache: true,
            selection: None,
            forced: std::collections::BTreeSet::new(),
            baseline: None,
            max_parallel_execution_steps: None,
            output_prefix: S3Uri::parse("s3://bucket/runs/p/e/").expect("legal"),
            pipeline_arn: "arn".to_owned(),
            trigger: "a test".to_owned(),
            secret: Secret::from_bytes([1; 32]),
        }
    }

    /// Claims both steps of a pipeline, of which the second one's function is somebody else's, with this payload for each.
    fn carried_by(payload: &Value) -> (Vec<Value>, Execution) {
        let definition = json!({"Version": "2020-12-01", "Steps": [
            {"Name": "Own", "Type": "Lambda", "FunctionArn": "own", "Arguments": {}},
            {"Name": "Other", "Type": "Lambda", "Arguments": {},
                "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:other"},
        ]});
        let parsed = parse(definition.to_string().as_bytes(), Format::Json).expect("a definition");
        let mut execution = Execution::new(2);
        let mut commit = Commit::new(1, 5);
        let mut effects = Vec::new();
        for step in [StepIndex(0), StepIndex(1)] {
            let claim = Claim {
                attempt_count: 1,
                lease_until_ms: 9,
                started_at_ms: 5,
                deadline_ms: None,
                callback_token: None,
                cache: Some(KeyParts::lambda("code", json!({}))),
            };
            commit.decisions.push(Decision::new(step, Verdict::Run(claim), String::new()));
            let (function_arn, payload) = ("f".to_owned(), payload.clone());
            effects.push(Effect::InvokeStep { step, attempt_count: 1, function_arn, payload });
        }
        execution.apply(&commit).expect("legal");
        let mut plan = crate::plan::plan(
            &parsed.pipeline,
            &start(),
            &execution,
            &[],
            &crate::plan::facts::Facts { is_held: true, ..Default::default() },
        );
        (plan.commit, plan.effects) = (commit, effects);
        attach_state(&parsed.pipeline, &start(), &execution, &mut plan);
        let payloads = plan.effects.into_iter().filter_map(|effect| match effect {
            Effect::InvokeStep { payload, .. } => Some(payload),
            _ => None,
        });
        (payloads.collect(), execution)
    }

    #[test]
    fn what_is_carried_reads_back_as_the_state_it_was() {
        let (mut payloads, execution) = carried_by(&json!({"k": 5, "Sidestep": {"Token": "t"}}));
        let reserved = &mut payloads[0][RESERVED_KEY];
        let carried = take_state(reserved).expect("it is there");
        assert_eq!(carried.execution().as_ref(), Ok(&execution));
        assert_eq!(carried.start, start());
        assert_eq!((carried.claimed.revision, carried.claimed.at_ms), (1, 5));
        assert!(!carried.is_alone(), "another step runs beside it");
        assert_eq!(*reserved, json!({"Token": "t"}), "nothing stays in the event");
    }

    #[test]
    fn a_crowd_is_many_steps_that_had_no_time_to_commit_one_after_another() {
        let crowd = Contention { min_steps: 4, commit_ms: 5 };
        for (under_way, elapsed_ms, is_met) in
            [(3, 0, false), (4, 0, true), (4, 19, true), (4, 20, false), (200, 999, true)]
        {
            assert_eq!(crowd.is_likely(under_way, elapsed_ms), is_met, "{under_way} {elapsed_ms}");
        }
        // Both steps of the state are under way, since 5 ms.
        let (mut payloads, execution) = carried_by(&json!({"Sidestep": {}}));
        let carried = take_state(&mut payloads[0][RESERVED_KEY]).expect("it is there");
        let two = Contention { min_steps: 2, commit_ms: 5 };
        assert!(carried.is_crowded(two, 14) && !carried.is_crowded(two, 15));
        assert!(two.is_high(&execution) && !crowd.is_high(&execution));
    }

    #[test]
    fn what_belongs_to_somebody_else_is_told_nothing() {
        let (payloads, _) = carried_by(&json!({"Sidestep": {}}));
        assert!(payloads[0][RESERVED_KEY][STATE_KEY].is_object());
        assert_eq!(payloads[1], json!({"Sidestep": {}}));
    }

    #[test]
    fn an_invocation_that_would_be_billed_twice_carries_nothing() {
        let large = json!({"Text": "x".repeat(MOST_BYTES), "Sidestep": {}});
        assert_eq!(carried_by(&large).0, [large.clone(), large]);
    }

    #[test]
    fn a_state_of_a_newer_planner_counts_as_none() {
        assert_eq!(take_state(&mut json!({"State": {"Start": 1}})), None);
        assert_eq!(take_state(&mut json!({})), None);
        assert_eq!("sideways".parse::<Handoff>(), Err(UnknownHandoff("sideways".to_owned())));
    }
}
