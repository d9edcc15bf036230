//! What happens next: events and state in, one commit and its effects out.
//!
//! `plan()` is pure. It folds the events into a draft, then walks the steps once in topological order, so that a whole cascade of
//! cached, skipped and condition steps is settled in one call: each step sees what was just decided about those before it. A step that
//! lacks a fact is left for the next call and the fact is named in [`Plan::needs`].

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cache_key::KeyParts;
use crate::commit::{CacheEntry, Claim, Commit, Completion, Decision, End, Failure, Verdict};
use crate::condition;
use crate::definition::{CacheConfig, LambdaStep, Pipeline, StepIndex, StepKind};
use crate::execution::{Execution, Phase, StepState};
use crate::expression::Unresolved;
use crate::facts::{Facts, Need};
use crate::invocation::{Invocation, RESERVED_KEY};
use crate::limits::{COMMIT_BYTES, PAYLOAD_BYTES};
use crate::manifest::Manifest;
use crate::readiness::{Readiness, readiness};
use crate::report::{Accepted, Discarded, Event, Weighed, weigh};
use crate::resolver::{Resolver, evaluate_all};
use crate::start::Start;
use crate::uri::S3Uri;

/// How long an attempt may stay in Lambda's queue before its function's own timeout begins to count, in seconds.
const QUEUE_SECONDS: u64 = 900;

/// The decision about one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// To be created at its revision; nothing to do when it [is empty](Commit::is_empty).
    pub commit: Commit,
    /// To be written before the commit: harmless if the commit is lost.
    pub publish: Vec<CacheEntry>,
    /// To be created before the commit: manifests of large outputs whose functions write none.
    pub manifests: Vec<(S3Uri, Manifest)>,
    /// To be performed after the commit.
    pub effects: Vec<Effect>,
    /// Facts to gather first. While there are any, nothing of this plan may be written.
    pub needs: BTreeSet<Need>,
    /// The commit is full: plan again after it.
    pub is_partial: bool,
    pub discarded: Vec<Discarded>,
}

/// What the world must do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Invokes the step's function, asynchronously.
    ///
    /// Twice: of one attempt the first report counts, later ones are discarded. Never, because the planner died first: the lease
    /// lapses and the sweep begins a new attempt.
    InvokeStep { step: StepIndex, attempt_count: u32, function_arn: String, payload: Value },
}

/// Plans `events` over `execution`. `pipeline` is the definition that `start` names.
pub fn plan(
    pipeline: &Pipeline,
    start: &Start,
    execution: &Execution,
    events: &[Event],
    facts: &Facts,
) -> Plan {
    let mut draft = Draft {
        pipeline,
        start,
        facts,
        states: execution.steps.clone(),
        bytes: 0,
        plan: Plan {
            commit: Commit::new(execution.revision + 1, facts.now_ms),
            publish: Vec::new(),
            manifests: Vec::new(),
            effects: Vec::new(),
            needs: BTreeSet::new(),
            is_partial: false,
            discarded: Vec::new(),
        },
    };
    if execution.status.is_over() {
        draft.discard_all(events);
        return draft.plan;
    }
    for event in events {
        match event {
            Event::Reported(report) => draft.report(report),
            Event::AttemptLost { step, last_attempt } => draft.attempt_lost(*step, *last_attempt),
        }
    }
    for index in &pipeline.topological_order {
        if draft.bytes > COMMIT_BYTES {
            draft.plan.is_partial = true;
            break;
        }
        if draft.states[index.0].phase == Phase::Waiting {
            draft.decide(*index);
        }
    }
    draft.finish();
    draft.plan
}

pub(crate) struct Draft<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) start: &'a Start,
    pub(crate) facts: &'a Facts,
    states: Vec<StepState>,
    /// About the size of the commit so far.
    bytes: usize,
    pub(crate) plan: Plan,
}

impl Draft<'_> {
    pub(crate) fn resolver(&self) -> Resolver<'_> {
        Resolver {
            pipeline: self.pipeline,
            start: self.start,
            facts: self.facts,
            states: &self.states,
            draft: &self.plan.commit,
        }
    }

    fn discard_all(&mut self, events: &[Event]) {
        for event in events {
            if let Event::Reported(report) = event {
                self.plan.discarded.push(Discarded {
                    step: report.step,
                    attempt_count: report.attempt_count,
                    reason: "the execution is over",
                });
            }
        }
    }

    fn report(&mut self, report: &crate::report::Report) {
        match weigh(report, &self.resolver()) {
            Weighed::Needs(need) => {
                self.plan.needs.insert(need);
            }
            Weighed::Discarded(discarded) => self.plan.discarded.push(discarded),
            Weighed::Accepted(accepted) => {
                let Accepted { completion, publish, manifest } = *accepted;
                self.plan.publish.extend(publish);
                self.plan.manifests.extend(manifest);
                self.complete(completion);
            }
        }
    }

    fn complete(&mut self, completion: Completion) {
        self.bytes += json_bytes(&completion);
        self.turn(completion.step, completion.result.phase());
        self.plan.commit.completions.push(completion);
    }

    /// Begins a new attempt in place of one that was lost, or gives up.
    fn attempt_lost(&mut self, step: StepIndex, last_attempt: u32) {
        let Some(state) = self.states.get(step.0).filter(|state| state.phase == Phase::Executing)
        else {
            return;
        };
        let claim = match self.resolver().commit(state.revision) {
            Ok(commit) => commit.claim(step).cloned(),
            Err(need) => {
                self.plan.needs.insert(need);
                return;
            }
        };
        let Some(claim) = claim else { return };
        let StepKind::Lambda(lambda) = &self.pipeline.step(step).kind else { return };
        if claim.attempt_count >= last_attempt {
            let failure = Failure {
                error_type: "Sidestep.AttemptLost".to_owned(),
                message: format!("nothing was heard of {} attempts", claim.attempt_count),
            };
            let result = crate::commit::AttemptResult::Failed(failure);
            let attempt_count = claim.attempt_count;
            self.complete(Completion { step, attempt_count, result });
            return;
        }
        let mut needs = BTreeSet::new();
        let arguments = evaluate_all(&lambda.arguments, &self.resolver(), &mut needs);
        self.plan.needs.append(&mut needs);
        if let Some(Ok(arguments)) = arguments {
            let reason = format!("attempt {} was lost", claim.attempt_count);
            self.claim(step, lambda, &arguments, claim.cache, claim.attempt_count + 1, reason);
        }
    }

    /// Decides about a waiting step, if its turn has come and all facts are there.
    fn decide(&mut self, index: StepIndex) {
        match readiness(self.pipeline, &self.states, index) {
            Readiness::Wait => {}
            Readiness::Skip(reason) => self.push(index, Verdict::Skipped, reason),
            Readiness::Never(reason) => self.push(index, Verdict::NotStarted, reason),
            Readiness::Ready => self.decide_ready(index),
        }
    }

    fn decide_ready(&mut self, index: StepIndex) {
        let step = self.pipeline.step(index);
        match &step.kind {
            StepKind::Condition { conditions } => {
                match condition::all(conditions, &self.resolver()) {
                    Ok(verdict) => {
                        self.push(index, Verdict::Condition(verdict.holds), verdict.because);
                    }
                    Err(Unresolved::Missing(need)) => {
                        self.plan.needs.insert(need);
                    }
                    Err(Unresolved::Absent(why)) => self.fail(index, "Sidestep.Condition", why),
                }
            }
            StepKind::Fail { message } => match self.evaluate(message) {
                Some(Ok(Value::String(text))) => self.fail(index, FAIL_STEP, text),
                Some(Ok(other)) => self.fail(index, FAIL_STEP, other.to_string()),
                Some(Err(why)) => self.fail(index, FAIL_STEP, why),
                None => {}
            },
            StepKind::Lambda(lambda) => self.decide_lambda(index, lambda, step.cache.as_ref()),
            StepKind::Callback(_) | StepKind::Job { .. } => {
                // Refused before the start; this holds for executions that another version started.
                let text = format!("steps of type {} cannot run yet", step.step_type());
                self.fail(index, "Sidestep.UnsupportedStepType", text);
            }
        }
    }

    fn evaluate(
        &mut self,
        expression: &crate::expression::Expression,
    ) -> Option<Result<Value, String>> {
        let mut needs = BTreeSet::new();
        let value = evaluate_all(expression, &self.resolver(), &mut needs);
        self.plan.needs.append(&mut needs);
        value
    }

    fn decide_lambda(
        &mut self,
        index: StepIndex,
        lambda: &LambdaStep,
        cache: Option<&CacheConfig>,
    ) {
        if let Some(why) = self.start.left_out.get(&lambda.function_arn) {
            let reason = format!("function `{}` is left out: {why}", lambda.function_arn);
            return self.push(index, Verdict::Skipped, reason);
        }
        let arguments = match self.evaluate(&lambda.arguments) {
            None => return,
            Some(Ok(arguments)) => arguments,
            Some(Err(why)) => return self.fail(index, "Sidestep.Arguments", why),
        };
        if !self.start.functions.contains_key(&lambda.function_arn) {
            let text = format!("function `{}` is not known", lambda.function_arn);
            return self.fail(index, "Sidestep.UnknownFunction", text);
        }
        let Some(config) = cache else {
            let reason = "caching is off for this step".to_owned();
            return self.claim(index, lambda, &arguments, None, 1, reason);
        };
        let parts = match self.key_parts(index, lambda, &arguments) {
            None => return,
            Some(Ok(parts)) => parts,
            Some(Err(why)) => {
                let reason = format!("not cached: {why}");
                return self.claim(index, lambda, &arguments, None, 1, reason);
            }
        };
        if !self.start.use_cache {
            let reason = "cached results are not used in this execution".to_owned();
            return self.claim(index, lambda, &arguments, Some(parts), 1, reason);
        }
        match self.look_up(&parts, config) {
            None => {}
            Some(Ok(hit)) => {
                let reason =
                    format!("same code and arguments as in execution {}", hit.source.execution_id);
                self.push(index, Verdict::CacheHit(hit), reason);
            }
            Some(Err(reason)) => self.claim(index, lambda, &arguments, Some(parts), 1, reason),
        }
    }

    /// Claims the step for an attempt and asks for its invocation.
    fn claim(
        &mut self,
        index: StepIndex,
        lambda: &LambdaStep,
        arguments: &Value,
        cache: Option<KeyParts>,
        attempt_count: u32,
        reason: String,
    ) {
        let Some(function) = self.start.functions.get(&lambda.function_arn) else { return };
        let lease = (u64::from(function.timeout_seconds) + QUEUE_SECONDS) * 1000;
        let lease_until_ms = self.facts.now_ms + lease;
        let revision = self.plan.commit.revision;
        let start = self.start;
        let invocation = Invocation {
            execution_id: start.execution_id.clone(),
            pipeline_name: start.pipeline_name.clone(),
            step_name: self.pipeline.step(index).name.clone(),
            attempt_count,
            output_prefix: attempt_prefix(self.pipeline, start, index, attempt_count),
            token: start.secret.token(&start.execution_id, index, attempt_count, revision),
            deadline_ms: lease_until_ms,
        };
        let mut payload = arguments.clone();
        payload[RESERVED_KEY] = json!(invocation);
        let size = json_bytes(&payload);
        if size > PAYLOAD_BYTES {
            let text =
                format!("the arguments have {size} bytes, over the limit of {PAYLOAD_BYTES}");
            return self.fail(index, "Sidestep.PayloadTooLarge", text);
        }
        let claim = Claim { attempt_count, lease_until_ms, cache };
        self.push(index, Verdict::Run(claim), reason);
        self.plan.effects.push(Effect::InvokeStep {
            step: index,
            attempt_count,
            function_arn: function.invoke_arn.clone(),
            payload,
        });
    }

    fn fail(&mut self, index: StepIndex, error_type: &str, message: impl Into<String>) {
        let message: String =
            message.into().chars().take(crate::limits::FAILURE_REASON_CHARS).collect();
        let reason = message.clone();
        let failure = Failure { error_type: error_type.to_owned(), message };
        self.push(index, Verdict::Failed(failure), reason);
    }

    fn push(&mut self, step: StepIndex, verdict: Verdict, reason: String) {
        let decision = Decision { step, verdict, reason };
        self.bytes += json_bytes(&decision);
        self.turn(step, decision.verdict.phase());
        self.plan.commit.decisions.push(decision);
    }

    fn turn(&mut self, step: StepIndex, phase: Phase) {
        self.states[step.0] = StepState { phase, revision: self.plan.commit.revision };
    }

    /// Ends the execution when nothing runs and nothing can start any more.
    fn finish(&mut self) {
        let is_open = self.states.iter().any(|state| !state.phase.is_over());
        if is_open || self.plan.is_partial || !self.plan.needs.is_empty() {
            return;
        }
        let failed = self.pipeline.indexes().filter(|i| self.states[i.0].phase == Phase::Failed);
        let first = failed.min_by_key(|index| (self.states[index.0].revision, *index));
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
        self.plan.commit.end = Some(End { failure_reason });
    }
}

/// SageMaker's text, then the first failed step and its message, which SageMaker leaves out.
fn failure_reason(pipeline: &Pipeline, first: StepIndex, commit: &Commit) -> String {
    let name = &pipeline.step(first).name;
    let message = commit.failure(first).map(|failure| failure.message.as_str()).unwrap_or_default();
    let text = format!("Step failure: One or multiple steps failed. `{name}`: {message}");
    text.chars().take(1_300).collect()
}

/// `error_type` of a Fail step that was reached.
pub const FAIL_STEP: &str = "Sidestep.FailStep";

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

fn json_bytes(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |bytes| bytes.len())
}
