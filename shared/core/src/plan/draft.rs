//! A plan in the making. The other files of this room add what they decide to a [`Draft`]; each
//! decision sees the ones before it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::definition::{Pipeline, StepIndex, StepKind};
use crate::execution::Execution;
use crate::execution::commit::{Commit, Completion, Decision, End, Failure, Verdict};
use crate::execution::phase::{ExecutionStatus, Phase, StepState};
use crate::execution::start::{NOT_STARTED, Start};
use crate::failure::FailureType;
use crate::limits::{COMMIT_BYTES, FAILURE_REASON_CHARS, json_bytes};
use crate::plan::claimed_keys::ClaimedKeys;
use crate::plan::effect::Plan;
use crate::plan::facts::{Facts, Need};
use crate::plan::readiness::{counts_as_failed, failed_fail_step, first_failed};
use crate::plan::redact::{redact, secret_values};
use crate::plan::resolver::{Planned, Resolver};
use crate::plan::run_condition::are_followed_up;

/// The longest failure reason of an execution: SageMaker's text, a step's name and its message.
const END_REASON_CHARS: usize = 1_300;

/// The plan so far, and the states of the steps as the plan leaves them.
pub(crate) struct Draft<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) start: &'a Start,
    pub(crate) facts: &'a Facts,
    pub(crate) states: Vec<StepState>,
    /// The approximate size of the commit so far.
    bytes: usize,
    /// A result was left for the next commit, because this one has no room for it.
    pub(crate) has_deferred_result: bool,
    /// Everything upstream of the selected steps, once it was asked for.
    pub(crate) upstream_of_selected: Option<BTreeSet<StepIndex>>,
    /// If true, nothing new starts.
    pub(crate) is_stopping: bool,
    /// The Fail step that was reached, kept so that it is not searched for at every step.
    pub(crate) failed_fail_step: Option<StepIndex>,
    /// The facts that were asked for and are missing. The resolver adds to them while the draft is
    /// borrowed, hence the cell.
    needs: RefCell<BTreeSet<Need>>,
    /// The keys that steps are claimed for, read when a step asks, hence the cell.
    pub(crate) claimed_keys: RefCell<ClaimedKeys>,
    /// Its needs stay empty until [`Draft::into_plan`].
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
            has_deferred_result: false,
            upstream_of_selected: None,
            is_stopping: execution.status == ExecutionStatus::Stopping,
            failed_fail_step: failed_fail_step(pipeline, &execution.steps),
            needs: RefCell::default(),
            claimed_keys: RefCell::default(),
            plan: Plan {
                commit: Commit::new(execution.revision + 1, facts.now_ms),
                publish: Vec::new(),
                touch: BTreeSet::new(),
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

    /// Returns a resolver over the states so far. What it cannot answer becomes a need of the plan.
    pub(crate) fn resolver(&self) -> Resolver<'_> {
        Resolver {
            pipeline: self.pipeline,
            start: self.start,
            facts: self.facts,
            states: &self.states,
            draft: &self.plan.commit,
            needs: &self.needs,
            reader: None,
            watch: None,
        }
    }

    /// Returns a resolver that answers as `step` sees it.
    pub(crate) fn resolver_of(&self, step: StepIndex) -> Resolver<'_> {
        Resolver { reader: Some(step), ..self.resolver() }
    }

    /// Returns true if the commit is full and the rest has to go into the next one.
    pub(crate) fn is_full(&self) -> bool {
        self.has_deferred_result || self.bytes > COMMIT_BYTES
    }

    /// Adds facts that have to be gathered first.
    pub(crate) fn add_needs(&self, needs: BTreeSet<Need>) {
        self.needs.borrow_mut().extend(needs);
    }

    /// Returns true if a fact is missing. The plan is then only good for gathering its needs.
    pub(crate) fn has_needs(&self) -> bool {
        !self.needs.borrow().is_empty()
    }

    /// Fails a step that was never invoked. The message is cut to SageMaker's limit.
    pub(crate) fn fail(
        &mut self,
        step: StepIndex,
        failure_type: FailureType,
        message: impl Into<String>,
    ) {
        let message: String = message.into().chars().take(FAILURE_REASON_CHARS).collect();
        let reason = message.clone();
        self.record(step, Verdict::Failed(Failure::new(failure_type, message)), reason);
    }

    /// Adds a decision that consists of a verdict and its reason.
    pub(crate) fn record(&mut self, step: StepIndex, verdict: Verdict, reason: String) {
        self.record_decision(Decision::new(step, verdict, reason));
    }

    /// Adds a decision, and moves its step to the phase that follows from it.
    pub(crate) fn record_decision(&mut self, decision: Decision) {
        let attempts_begun = self.attempts_begun(&decision);
        let recorded = Decision { attempts_begun, ..decision };
        let bytes = json_bytes(&recorded);
        let holds_result = matches!(recorded.verdict, Verdict::CacheHit(_) | Verdict::Reused(_));
        if holds_result && !self.fits(bytes) {
            self.has_deferred_result = true;
            return;
        }
        self.bytes += bytes;
        self.set_phase(recorded.step, recorded.verdict.phase());
        self.plan.commit.decisions.push(recorded);
    }

    /// Returns how many attempts the step has used. A decision that starts no attempt stores this
    /// number, because the commits that began them are no longer referenced afterwards.
    fn attempts_begun(&self, decision: &Decision) -> u32 {
        let revision = self.states[decision.step.0].revision;
        // `Run` and `Stopped` carry their own attempt number.
        let has_own = matches!(decision.verdict, Verdict::Run(_) | Verdict::Stopped { .. });
        if revision == 0 || has_own {
            return 0;
        }
        // While the commit is missing the number does not matter: a plan with needs is made again.
        self.resolver().commit(revision).map_or(0, |commit| commit.attempts(decision.step))
    }

    /// Returns true if the commit has room for a result of this size. One result always fits.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        self.bytes == 0 || self.bytes + bytes <= COMMIT_BYTES
    }

    /// Adds the end of an attempt, and moves its step to the phase that follows from it.
    pub(crate) fn complete(&mut self, completion: Completion) {
        self.bytes += json_bytes(&completion);
        self.set_phase(completion.step, completion.result.phase());
        self.plan.commit.completions.push(completion);
    }

    fn set_phase(&mut self, step: StepIndex, phase: Phase) {
        self.states[step.0] = StepState { phase, revision: self.plan.commit.revision };
        if phase == Phase::Failed && matches!(self.pipeline.step(step).kind, StepKind::Fail { .. })
        {
            self.failed_fail_step.get_or_insert(step);
        }
    }

    /// Ends the execution if nothing runs and nothing can start any more.
    pub(crate) fn finish(&mut self) {
        if let Some(refused) = &self.start.refused {
            let text = format!("{NOT_STARTED}{}", refused.reason);
            let failure_reason = Some(text.chars().take(END_REASON_CHARS).collect());
            self.plan.commit.end = Some(End { failure_reason, ..End::default() });
            return;
        }
        let is_stopping = self.is_stopping;
        let is_open = self.states.iter().any(|state| match state.phase {
            // A step that has not begun when the execution stops never will.
            Phase::Waiting => !is_stopping,
            phase => !phase.is_over(),
        });
        if is_open || self.plan.is_partial || self.has_needs() {
            return;
        }
        let Ok(failure_reason) = self.first_failure_reason() else { return };
        let followed_up = failure_reason.is_some() && self.is_followed_up();
        self.plan.commit.end = Some(End { failure_reason, stopped: is_stopping, followed_up });
    }

    /// Returns true if a step ran because of each failure, so that the execution ends as
    /// `CompletedWithFailures`. One that is stopped has not completed.
    fn is_followed_up(&self) -> bool {
        let counts = |index: &StepIndex| counts_as_failed(self.pipeline, &self.states, *index);
        let failed: Vec<_> = self.pipeline.indexes().filter(counts).collect();
        !self.is_stopping && are_followed_up(self.pipeline, &self.states, &failed)
    }

    /// Returns SageMaker's text, then the first failed step and its message, which SageMaker leaves
    /// out. Returns `None` if no step failed that may not fail.
    fn first_failure_reason(&self) -> Planned<Option<String>> {
        let Some(first) = first_failed(self.pipeline, &self.states, self.pipeline.indexes()) else {
            return Ok(None);
        };
        let commit = self.resolver().commit(self.states[first.0].revision)?;
        let name = &self.pipeline.step(first).name;
        let message =
            commit.failure(first).map(|failure| failure.message.as_str()).unwrap_or_default();
        let text = format!("Step failure: One or multiple steps failed. `{name}`: {message}");
        Ok(Some(text.chars().take(END_REASON_CHARS).collect()))
    }

    /// Returns the plan with its needs, and without the values of `NoEcho` parameters.
    pub(crate) fn into_plan(self) -> Plan {
        let mut plan = self.plan;
        plan.needs = self.needs.into_inner();
        redact(&mut plan.commit, &secret_values(self.pipeline, self.start));
        plan
    }
}
