//! What happens next: events and state in, one commit and its effects out.
//!
//! `plan()` is pure. It folds the events into a draft, then walks the steps once in topological order, so that a whole cascade of
//! cached, skipped and condition steps is settled in one call: each step sees what was just decided about those before it. A step that
//! lacks a fact is left for the next call and the fact is named in [`Plan::needs`].

mod attempt;
pub mod cache;
pub mod control;
pub mod event;
pub mod facts;
pub mod handoff;
pub mod head;
pub mod late_report;
pub mod lease;
mod readiness;
pub mod redact;
pub mod repair;
pub mod report;
pub(crate) mod resolver;
pub mod retry;
pub(crate) mod reuse;
pub(crate) mod step;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::{Pipeline, StepIndex, StepKind};
use crate::execution::commit::{
    CacheEntry, Commit, Completion, Decision, End, Failure, Revision, Verdict,
};
use crate::execution::manifest::Manifest;
use crate::execution::start::Start;
use crate::execution::{Execution, ExecutionStatus, Phase, StepState};
use crate::failure::FailureType;
use crate::limits::COMMIT_BYTES;
use crate::name::ExecutionId;
use crate::plan::control::check_retry;
use crate::plan::facts::{Facts, Need};
use crate::plan::readiness::{failed_fail_step, first_failed};
use crate::plan::redact::{mask, secrets};
use crate::plan::report::{Accepted, Discarded, ReportOutcome, judge};
use crate::plan::resolver::Resolver;
use crate::uri::S3Uri;

pub use crate::plan::event::{Event, Report, ReportedResult};

/// The decision about one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// To be created at its revision; nothing to do when it [is empty](Commit::is_empty).
    pub commit: Commit,
    /// To be written before the commit: harmless if the commit is lost.
    pub publish: Vec<Publication>,
    /// To be created before the commit: manifests of large outputs whose functions write none.
    pub manifests: Vec<(S3Uri, Manifest)>,
    /// To be written before the commit: what the tokens of Callback steps stand for.
    pub callbacks: Vec<(String, CallbackRecord)>,
    /// To be performed after the commit.
    pub effects: Vec<Effect>,
    /// Facts to gather first. While there are any, nothing of this plan may be written.
    pub needs: BTreeSet<Need>,
    /// The commit is full: plan again after it.
    pub is_partial: bool,
    /// How many of the events are in it; the others come with the next one.
    pub taken: usize,
    pub discarded: Vec<Discarded>,
}

/// What the token of a Callback step stands for. One whose commit was lost stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackRecord {
    pub execution_id: ExecutionId,
    pub step: StepIndex,
    pub attempt_count: u32,
    pub revision: Revision,
    /// Its message is not known to be in the queue.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unsent: bool,
}

/// A cache entry that a step leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    pub step: StepIndex,
    pub entry: CacheEntry,
}

/// What the world must do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Invokes the step's function, asynchronously.
    ///
    /// Twice: of one attempt the first report counts, later ones are discarded. Never, because the planner died first: the lease
    /// lapses and the sweep begins a new attempt.
    InvokeStep { step: StepIndex, attempt_count: u32, function_arn: String, payload: Value },
    /// Sends the message of a Callback step to its queue.
    ///
    /// Twice: two messages with one token, of which one answer counts. Never, because the planner died first: its record says so, and the
    /// sweep begins a new attempt.
    SendCallback { step: StepIndex, attempt_count: u32, queue_url: String, body: Value },
    /// Calls the planner at this time, in milliseconds since 1970.
    ///
    /// Twice or early: it finds nothing due. Never: the sweep finds it.
    Wake { at_ms: u64 },
}

/// Plans `events` over `execution`. `pipeline` is the definition that `start` names.
pub fn plan(
    pipeline: &Pipeline,
    start: &Start,
    execution: &Execution,
    events: &[Event],
    facts: &Facts,
) -> Plan {
    let mut draft = Draft::new(pipeline, start, execution, facts);
    if events.contains(&Event::RetryRequested) && check_retry(pipeline, execution).is_ok() {
        draft.retry();
    } else if execution.status.is_over() {
        draft.discard_all(events);
        draft.plan.taken = events.len();
        return draft.plan;
    }
    for event in events {
        if draft.bytes > COMMIT_BYTES {
            draft.plan.is_partial = true;
            return draft.masked();
        }
        draft.plan.taken += 1;
        match event {
            Event::Reported(report) => draft.report(report),
            Event::AttemptLost { step, last_attempt } => draft.attempt_lost(step, *last_attempt),
            Event::StopRequested => draft.stop(),
            Event::Woken => draft.time_out(),
            Event::RetryRequested => {}
        }
    }
    if draft.is_stopping || facts.is_held {
        draft.finish();
        return draft.masked();
    }
    draft.retry_due();
    for index in &pipeline.topological_order {
        if draft.bytes > COMMIT_BYTES {
            draft.plan.is_partial = true;
            break;
        }
        if draft.states[index.0].phase == Phase::Waiting {
            match &start.selection {
                Some(selection) if !selection.selected.contains(index) => {
                    draft.reuse_unselected(*index, selection);
                }
                _ => draft.decide(*index),
            }
        }
    }
    draft.finish();
    draft.masked()
}

pub(crate) struct Draft<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) start: &'a Start,
    pub(crate) facts: &'a Facts,
    pub(crate) states: Vec<StepState>,
    /// About the size of the commit so far.
    bytes: usize,
    pub(crate) upstream_of_selected: Option<BTreeSet<StepIndex>>,
    /// Nothing new starts.
    pub(crate) is_stopping: bool,
    /// The Fail step that was reached, looked for once and not for every step again.
    pub(crate) fired: Option<StepIndex>,
    pub(crate) plan: Plan,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(
        pipeline: &'a Pipeline,
        start: &'a Start,
        execution: &Execution,
        facts: &'a Facts,
    ) -> Self {
        Self {
            pipeline,
            start,
            facts,
            states: execution.steps.clone(),
            bytes: 0,
            upstream_of_selected: None,
            is_stopping: execution.status == ExecutionStatus::Stopping,
            fired: failed_fail_step(pipeline, &execution.steps),
            plan: Plan {
                commit: Commit::new(execution.revision + 1, facts.now_ms),
                publish: Vec::new(),
                manifests: Vec::new(),
                callbacks: Vec::new(),
                effects: Vec::new(),
                needs: BTreeSet::new(),
                is_partial: false,
                taken: 0,
                discarded: Vec::new(),
            },
        }
    }

    pub(crate) fn resolver(&self) -> Resolver<'_> {
        Resolver {
            pipeline: self.pipeline,
            start: self.start,
            facts: self.facts,
            states: &self.states,
            draft: &self.plan.commit,
            reader: None,
        }
    }

    /// Resolves what `step` reads.
    pub(crate) fn resolver_of(&self, step: StepIndex) -> Resolver<'_> {
        Resolver { reader: Some(step), ..self.resolver() }
    }

    /// Notes what is missing, if anything is; a plan with needs is made again.
    pub(crate) fn need(&mut self, needs: impl IntoIterator<Item = Need>) {
        self.plan.needs.extend(needs);
    }

    pub(crate) fn fail(
        &mut self,
        index: StepIndex,
        failure_type: FailureType,
        message: impl Into<String>,
    ) {
        let message: String =
            message.into().chars().take(crate::limits::FAILURE_REASON_CHARS).collect();
        let reason = message.clone();
        self.push(index, Verdict::Failed(Failure::new(failure_type, message)), reason);
    }

    pub(crate) fn push(&mut self, step: StepIndex, verdict: Verdict, reason: String) {
        self.push_decision(Decision::new(step, verdict, reason));
    }

    pub(crate) fn push_decision(&mut self, mut decision: Decision) {
        decision.begun = self.begun_before(&decision);
        self.bytes += json_bytes(&decision);
        self.turn(decision.step, decision.verdict.phase());
        self.plan.commit.decisions.push(decision);
    }

    /// Attempts of a step that goes on without another one: what is written next to its state is all that is known of them later.
    fn begun_before(&mut self, decision: &Decision) -> u32 {
        let revision = self.states[decision.step.0].revision;
        // A claim and a stop say it themselves, and of what succeeded nobody asks.
        if revision == 0 || !decision.verdict.phase().is_retried() {
            return 0;
        }
        match self.resolver().commit(revision) {
            Ok(commit) => commit.attempts(decision.step),
            Err(need) => {
                self.need([need]);
                0
            }
        }
    }

    fn discard_all(&mut self, events: &[Event]) {
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

    fn report(&mut self, report: &Report) {
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
                let step = completion.step;
                self.plan.publish.extend(publish.map(|entry| Publication { step, entry }));
                self.plan.manifests.extend(manifest);
                self.complete(completion);
            }
        }
    }

    pub(crate) fn complete(&mut self, completion: Completion) {
        self.bytes += json_bytes(&completion);
        self.turn(completion.step, completion.result.phase());
        self.plan.commit.completions.push(completion);
    }

    fn turn(&mut self, step: StepIndex, phase: Phase) {
        self.states[step.0] = StepState { phase, revision: self.plan.commit.revision };
        if phase == Phase::Failed && matches!(self.pipeline.step(step).kind, StepKind::Fail { .. })
        {
            self.fired.get_or_insert(step);
        }
    }

    fn masked(mut self) -> Plan {
        mask(&mut self.plan.commit, &secrets(self.pipeline, self.start));
        self.plan
    }

    /// Ends the execution when nothing runs and nothing can start any more.
    fn finish(&mut self) {
        let is_stopping = self.is_stopping;
        let is_open = self.states.iter().any(|state| match state.phase {
            // What has not begun never will.
            Phase::Waiting => !is_stopping,
            phase => !phase.is_over(),
        });
        if is_open || self.plan.is_partial || !self.plan.needs.is_empty() {
            return;
        }
        let first = first_failed(self.pipeline, &self.states, self.pipeline.indexes());
        let failure_reason = match first {
            None => None,
            Some(first) => match self.resolver().commit(self.states[first.0].revision) {
                Ok(commit) => Some(failure_reason(self.pipeline, first, commit)),
                Err(need) => {
                    self.plan.needs.insert(need);
                    return;
                }
            },
        };
        self.plan.commit.end = Some(End { failure_reason, stopped: is_stopping });
    }
}

/// SageMaker's text, then the first failed step and its message, which SageMaker leaves out.
fn failure_reason(pipeline: &Pipeline, first: StepIndex, commit: &Commit) -> String {
    let name = &pipeline.step(first).name;
    let message = commit.failure(first).map(|failure| failure.message.as_str()).unwrap_or_default();
    let text = format!("Step failure: One or multiple steps failed. `{name}`: {message}");
    text.chars().take(1_300).collect()
}

/// Where one attempt of a step may write. Built from checked names only.
pub fn attempt_prefix(pipeline: &Pipeline, start: &Start, step: StepIndex, attempt: u32) -> S3Uri {
    start.output_prefix.join(&format!("{}/{attempt}/", pipeline.step(step).name))
}

pub(crate) fn memory_mb(pipeline: &Pipeline, start: &Start, step: StepIndex) -> u32 {
    match &pipeline.step(step).kind {
        StepKind::Lambda(lambda) => {
            start.functions.get(&lambda.function_arn).map_or(0, |function| function.memory_mb)
        }
        _ => 0,
    }
}

pub(crate) fn json_bytes(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |bytes| bytes.len())
}
