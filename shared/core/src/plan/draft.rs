//! A plan in the making.

use std::collections::BTreeSet;

use crate::definition::{Pipeline, StepIndex, StepKind};
use crate::execution::Execution;
use crate::execution::commit::{Commit, Completion, Decision, End, Failure, Verdict};
use crate::execution::phase::{ExecutionStatus, Phase, StepState};
use crate::execution::start::Start;
use crate::failure::FailureType;
use crate::limits::{COMMIT_BYTES, FAILURE_REASON_CHARS, json_bytes};
use crate::plan::effect::Plan;
use crate::plan::facts::{Facts, Need};
use crate::plan::readiness::{failed_fail_step, first_failed};
use crate::plan::redact::{mask, secrets};
use crate::plan::resolver::Resolver;

pub(crate) struct Draft<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) start: &'a Start,
    pub(crate) facts: &'a Facts,
    pub(crate) states: Vec<StepState>,
    /// About the size of the commit so far.
    pub(crate) bytes: usize,
    /// A result was left for the next commit, because this one has no room for it.
    pub(crate) is_full: bool,
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
            is_full: false,
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
        let message: String = message.into().chars().take(FAILURE_REASON_CHARS).collect();
        let reason = message.clone();
        self.push(index, Verdict::Failed(Failure::new(failure_type, message)), reason);
    }

    pub(crate) fn push(&mut self, step: StepIndex, verdict: Verdict, reason: String) {
        self.push_decision(Decision::new(step, verdict, reason));
    }

    pub(crate) fn push_decision(&mut self, mut decision: Decision) {
        decision.begun = self.begun_before(&decision);
        let bytes = json_bytes(&decision);
        let holds_result = matches!(decision.verdict, Verdict::CacheHit(_) | Verdict::Reused(_));
        if holds_result && !self.fits(bytes) {
            self.is_full = true;
            return;
        }
        self.bytes += bytes;
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

    /// Returns true if the commit has room for a result of this size. One result always fits.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        self.bytes == 0 || self.bytes + bytes <= COMMIT_BYTES
    }

    pub(crate) fn complete(&mut self, completion: Completion) {
        self.bytes += json_bytes(&completion);
        self.turn(completion.step, completion.result.phase());
        self.plan.commit.completions.push(completion);
    }

    pub(crate) fn turn(&mut self, step: StepIndex, phase: Phase) {
        self.states[step.0] = StepState { phase, revision: self.plan.commit.revision };
        if phase == Phase::Failed && matches!(self.pipeline.step(step).kind, StepKind::Fail { .. })
        {
            self.fired.get_or_insert(step);
        }
    }

    pub(crate) fn masked(mut self) -> Plan {
        mask(&mut self.plan.commit, &secrets(self.pipeline, self.start));
        self.plan
    }

    /// Ends the execution when nothing runs and nothing can start any more.
    pub(crate) fn finish(&mut self) {
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
