//! Handoff: how a finished step's successors are started, and the state that an invocation carries
//! for it.
//!
//! On the event road a step writes its manifest and the planner goes on. On the direct road the
//! finishing step makes the planner's commit itself and invokes its successors. So that it need not
//! read anything for that, its invocation carries the state as it was when the attempt was claimed.
//! That state may be old by then. A commit on top of an old state loses to the commit that is
//! there; the step then folds the winner and decides again, as two planners do.

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

/// The key below [`RESERVED_KEY`] under which an invocation carries the state.
pub const STATE_KEY: &str = "State";

/// The largest invocation that carries the state. With a larger one the step reads the state.
/// Lambda bills larger asynchronous invocations as another request
/// (<https://aws.amazon.com/lambda/pricing/>).
const MAX_BYTES: usize = 200_000;

/// The roads that a finished step's result takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Handoff {
    /// The manifest's S3 event reaches the planner.
    #[default]
    Event,
    /// The finishing step commits and invokes. It writes a manifest only if there are artifacts or
    /// large outputs.
    Direct,
    /// The finishing step commits and invokes, and always writes the manifest. Whichever road is
    /// first counts.
    Both,
}

impl Handoff {
    /// Returns true if steps may commit.
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

/// The error for a text that names no [`Handoff`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid handoff `{0}`: expected `event`, `direct` or `both`")]
pub struct UnknownHandoff(String);

impl FromStr for Handoff {
    type Err = UnknownHandoff;

    fn from_str(text: &str) -> Result<Self, UnknownHandoff> {
        let all = [Self::Event, Self::Direct, Self::Both];
        let found = all.into_iter().find(|handoff| handoff.to_string() == text);
        found.ok_or_else(|| UnknownHandoff(text.to_owned()))
    }
}

/// The state of an execution, as an invocation carries it to its function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CarriedState {
    pub start: Start,
    status: ExecutionStatus,
    revision: Revision,
    /// As in `HEAD`.
    steps: String,
    saved_ms: u64,
    // Earlier releases carried `SavedUsd` in place of these two; it is ignored.
    #[serde(default)]
    saved_mb_ms: u64,
    #[serde(default)]
    saved_invocations: u64,
    /// The claim on the step, which its report is judged by.
    pub claimed: Claimed,
}

/// Returns how many steps are running or about to be tried again.
fn count_running(steps: &[StepState]) -> usize {
    steps.iter().filter(|state| !state.phase.is_over() && state.phase != Phase::Waiting).count()
}

/// When branches are too many to commit one after another. They then leave their results to the
/// planner, which takes many into one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contention {
    /// With fewer running steps there is no contention.
    pub min_steps: usize,
    /// How long a commit keeps the other steps from making theirs.
    pub commit_ms: u64,
}

impl Default for Contention {
    /// Returns the default for AWS, where it takes some 5 ms to read the state, to write a commit
    /// and to follow it.
    fn default() -> Self {
        Self { min_steps: 4, commit_ms: 5 }
    }
}

impl Contention {
    /// Returns true if `running` steps cannot all have committed within `elapsed_ms`.
    ///
    /// Steps that began together mostly end together. So if the time was too short for all of them,
    /// most are about to commit now.
    fn is_likely(self, running: usize, elapsed_ms: u64) -> bool {
        let width = u64::try_from(running).unwrap_or(u64::MAX);
        running >= self.min_steps && elapsed_ms < width.saturating_mul(self.commit_ms)
    }

    /// Returns true if so many steps are running that a lost commit will probably be lost again on
    /// the next try.
    pub fn is_high(self, execution: &Execution) -> bool {
        count_running(&execution.steps) >= self.min_steps
    }
}

impl CarriedState {
    /// Returns true if nothing else ran when the attempt was claimed. The state is then most likely
    /// still as it was.
    pub fn is_alone(&self) -> bool {
        self.count_running() == 1
    }

    /// Returns true if other steps are probably about to commit too, if the attempt ends now.
    pub fn is_crowded(&self, contention: Contention, now_ms: u64) -> bool {
        contention.is_likely(self.count_running(), now_ms.saturating_sub(self.claimed.at_ms))
    }

    fn count_running(&self) -> usize {
        count_running(&Execution::decode_steps(&self.steps).unwrap_or_default())
    }

    /// Returns the state as an execution. Fails if its steps cannot be read.
    pub fn execution(&self) -> Result<Execution, FoldError> {
        Ok(Execution {
            status: self.status,
            revision: self.revision,
            steps: Execution::decode_steps(&self.steps)?,
            saved: Savings {
                ms: self.saved_ms,
                mb_ms: self.saved_mb_ms,
                invocations: self.saved_invocations,
            },
        })
    }
}

/// Attaches to each invocation in `plan` the execution state after the plan's commit.
///
/// Only a step SDK commits, so the events of other functions get no state. Nor do those of
/// functions that the definition names by ARN, because these belong to another team or account, nor
/// those that would become too large.
pub fn attach_state(pipeline: &Pipeline, start: &Start, execution: &Execution, plan: &mut Plan) {
    let Plan { commit, effects, .. } = plan;
    for effect in effects {
        let Effect::InvokeStep { step, payload, .. } = effect else { continue };
        let StepKind::Lambda(lambda) = &pipeline.step(*step).kind else { continue };
        let Some(claimed) = Claimed::of(commit, *step) else { continue };
        let has_sdk = start.functions.get(&lambda.function_arn).is_some_and(|it| it.has_sdk);
        if !has_sdk || matches!(lambda.function_arn, FunctionRef::Arn(_)) {
            continue;
        }
        let carried = json!(CarriedState {
            start: start.clone(),
            status: execution.status,
            revision: execution.revision,
            steps: execution.encode_steps(),
            saved_ms: execution.saved.ms,
            saved_mb_ms: execution.saved.mb_ms,
            saved_invocations: execution.saved.invocations,
            claimed,
        });
        if json_bytes(payload) + json_bytes(&carried) <= MAX_BYTES {
            payload[RESERVED_KEY][STATE_KEY] = carried;
        }
    }
}

/// Takes the state out of an event's reserved key. A state that cannot be read counts as none: a
/// newer planner wrote it.
pub fn take_state(reserved: &mut Value) -> Option<CarriedState> {
    let value = reserved.as_object_mut()?.remove(STATE_KEY)?;
    serde_json::from_value(value).ok()
}

/// Returns true if a finishing step may perform what `plan` asks for. Messages and calls at a later
/// time are left to the planner, so that a step's function needs no right to any queue.
pub fn is_for_a_step(plan: &Plan) -> bool {
    plan.effects.iter().all(|effect| matches!(effect, Effect::InvokeStep { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::key::KeyParts;
    use crate::definition::StepIndex;
    use crate::execution::commit::{Claim, Commit, Decision, Verdict};
    use crate::execution::inputs::Inputs;
    use crate::execution::start::Function;
    use crate::execution::token::Secret;
    use crate::name::{ExecutionId, PipelineName};
    use crate::parse::{Format, parse};
    use crate::uri::S3Uri;

    const OTHER: &str = "arn:aws:lambda:eu-west-1:123456789012:function:other";

    fn function_ref(text: &str) -> FunctionRef {
        FunctionRef::parse(text).expect("legal")
    }

    fn with_sdk() -> Function {
        Function {
            invoke_arn: String::new(),
            code_digest: String::new(),
            memory_mb: 128,
            timeout_seconds: 3,
            has_sdk: true,
            reads: Vec::new(),
            places: Vec::new(),
            is_plain: false,
        }
    }

    fn start() -> Start {
        Start {
            state_version: 1,
            execution_id: ExecutionId::from_bytes([7; 16]),
            pipeline_name: PipelineName::parse("p").expect("legal"),
            definition_digest: "sha256:d".to_owned(),
            definition_format: Format::Json,
            parameters: std::collections::BTreeMap::new(),
            functions: ["own", OTHER].map(|name| (function_ref(name), with_sdk())).into(),
            left_out: std::collections::BTreeMap::new(),
            jobs: None,
            started_at_ms: 1,
            use_cache: true,
            selection: None,
            forced: std::collections::BTreeSet::new(),
            baseline: None,
            max_parallel_execution_steps: None,
            output_prefix: S3Uri::parse("s3://bucket/runs/p/e/").expect("legal"),
            pipeline_arn: "arn".to_owned(),
            trigger: "a test".to_owned(),
            uploaded: None,
            refused: None,
            secret: Secret::from_bytes([1; 32]),
        }
    }

    /// Claims both steps of a pipeline, the second one with a function of another team, and returns
    /// the payloads that `payload` becomes, with the state.
    fn carried_by(payload: &Value) -> (Vec<Value>, Execution) {
        let definition = json!({"Version": "2020-12-01", "Steps": [
            {"Name": "Own", "Type": "Lambda", "FunctionArn": "own", "Arguments": {}},
            {"Name": "Other", "Type": "Lambda", "Arguments": {},
                "FunctionArn": OTHER},
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
                job: None,
                cache: Some(KeyParts::lambda("code", json!({}))),
                inputs: Inputs::default(),
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
    fn contention_is_likely_when_many_steps_had_no_time_to_commit_one_after_another() {
        let four = Contention { min_steps: 4, commit_ms: 5 };
        for (running, elapsed_ms, is_likely) in
            [(3, 0, false), (4, 0, true), (4, 19, true), (4, 20, false), (200, 999, true)]
        {
            assert_eq!(four.is_likely(running, elapsed_ms), is_likely, "{running} {elapsed_ms}");
        }
        // Both steps of the state have been running since 5 ms.
        let (mut payloads, execution) = carried_by(&json!({"Sidestep": {}}));
        let carried = take_state(&mut payloads[0][RESERVED_KEY]).expect("it is there");
        let two = Contention { min_steps: 2, commit_ms: 5 };
        assert!(carried.is_crowded(two, 14) && !carried.is_crowded(two, 15));
        assert!(two.is_high(&execution) && !four.is_high(&execution));
    }

    #[test]
    fn a_function_named_by_arn_gets_no_state() {
        let (payloads, _) = carried_by(&json!({"Sidestep": {}}));
        assert!(payloads[0][RESERVED_KEY][STATE_KEY].is_object());
        assert_eq!(payloads[1], json!({"Sidestep": {}}));
    }

    #[test]
    fn an_invocation_that_would_be_billed_twice_carries_no_state() {
        let large = json!({"Text": "x".repeat(MAX_BYTES), "Sidestep": {}});
        assert_eq!(carried_by(&large).0, [large.clone(), large]);
    }

    #[test]
    fn a_state_that_carries_money_still_reads() {
        let (mut payloads, execution) = carried_by(&json!({"Sidestep": {}}));
        let reserved = &mut payloads[0][RESERVED_KEY];
        let state = reserved[STATE_KEY].as_object_mut().expect("it is there");
        state.retain(|name, _| name != "SavedMbMs" && name != "SavedInvocations");
        state.insert("SavedUsd".to_owned(), json!(0.5));
        let carried = take_state(reserved).expect("it reads");
        assert_eq!(carried.execution(), Ok(execution));
    }

    #[test]
    fn a_state_of_a_newer_planner_counts_as_none() {
        assert_eq!(take_state(&mut json!({"State": {"Start": 1}})), None);
        assert_eq!(take_state(&mut json!({})), None);
        assert_eq!("sideways".parse::<Handoff>(), Err(UnknownHandoff("sideways".to_owned())));
    }
}
