//! Attempts: they are claimed, end in a failure that may be retried, run out of time, or are lost.

use serde_json::{Value, json};

use crate::cache::key::KeyParts;
use crate::definition::{CallbackStep, LambdaStep, StepIndex, StepKind};
use crate::execution::commit::{AttemptResult, Claim, Completion, Failure, Retried, Verdict};
use crate::execution::invocation::{Invocation, RESERVED_KEY};
use crate::execution::phase::Phase;
use crate::failure::FailureType;
use crate::limits::{LEASE_ATTEMPTS, PAYLOAD_BYTES, json_bytes};
use crate::name::StepName;
use crate::plan::draft::Draft;
use crate::plan::effect::{CallbackRecord, Discarded, Effect, UNKNOWN_STEP};
use crate::plan::lease::RENEWED_LEASE_MS;

use crate::plan::retry::{Tried, next_attempt};

/// How long an attempt may stay in Lambda's queue before its function's own timeout begins to count, in seconds.
const QUEUE_SECONDS: u64 = 900;
/// The lease of a Callback step whose message was sent: nothing but its answer or its `TimeoutSeconds` ends it.
const NO_LEASE_MS: u64 = u64::MAX;

/// An attempt that is about to begin.
pub(crate) struct Attempt {
    pub(crate) count: u32,
    pub(crate) started_at_ms: u64,
    pub(crate) cache: Option<KeyParts>,
    pub(crate) reason: String,
    /// Whether it stands in for one that was lost.
    pub(crate) is_after_loss: bool,
}

impl Draft<'_> {
    /// The first attempt of a waiting step; after a retry of the execution the numbers go on. `None` while facts are missing.
    pub(crate) fn first(&mut self, step: StepIndex, reason: String) -> Option<Attempt> {
        let revision = self.states[step.0].revision;
        let begun = if revision == 0 {
            0
        } else {
            match self.resolver().commit(revision) {
                Ok(commit) => commit.attempts(step),
                Err(need) => {
                    self.need([need]);
                    return None;
                }
            }
        };
        let started_at_ms = self.facts.now_ms;
        Some(Attempt { count: begun + 1, started_at_ms, cache: None, reason, is_after_loss: false })
    }

    /// Whether one more step may run beside those that do. Cached, reused and skipped steps and conditions take no slot.
    fn has_slot(&self) -> bool {
        let Some(limit) = self.start.max_parallel_execution_steps else { return true };
        let running = self.states.iter().filter(|state| state.phase == Phase::Executing).count();
        running < limit as usize
    }

    /// Claims a Lambda step for an attempt and asks for its invocation. Without a free slot it goes on waiting.
    pub(crate) fn claim(
        &mut self,
        index: StepIndex,
        lambda: &LambdaStep,
        arguments: &Value,
        attempt: Attempt,
    ) {
        let Some(function) = self.start.functions.get(&lambda.function_arn) else { return };
        if self.states[index.0].phase != Phase::Executing && !self.has_slot() {
            return;
        }
        let deadline_ms = self.deadline(index);
        let longest_ms = (u64::from(function.timeout_seconds) + QUEUE_SECONDS) * 1000;
        // An account that is throttled keeps a whole attempt in Lambda's queue: that costs one invocation more, never the step. So the lease is
        // long where the last one was lost, and where no other may follow.
        let is_renewed =
            function.has_sdk && !attempt.is_after_loss && attempt.count < LEASE_ATTEMPTS;
        let lease_ms = if is_renewed { RENEWED_LEASE_MS.min(longest_ms) } else { longest_ms };
        let lease_until_ms = self.facts.now_ms + lease_ms;
        let revision = self.plan.commit.revision;
        let start = self.start;
        let step_name = &self.pipeline.step(index).name;
        let invocation = Invocation {
            execution_id: start.execution_id.clone(),
            pipeline_name: start.pipeline_name.clone(),
            step_name: step_name.clone(),
            attempt_count: attempt.count,
            output_prefix: start.attempt_prefix(step_name, attempt.count),
            token: start.secret.token(&start.execution_id, index, attempt.count, revision),
            deadline_ms: deadline_ms.unwrap_or(self.facts.now_ms + longest_ms),
            exactly_once_start: lambda.exactly_once_start,
        };
        let mut payload = arguments.clone();
        payload[RESERVED_KEY] = json!(invocation);
        let size = json_bytes(&payload);
        if size > PAYLOAD_BYTES {
            let text =
                format!("the arguments have {size} bytes, over the limit of {PAYLOAD_BYTES}");
            return self.fail(index, FailureType::PayloadTooLarge, text);
        }
        let attempt_count = attempt.count;
        let claim = Claim {
            attempt_count,
            lease_until_ms,
            started_at_ms: attempt.started_at_ms,
            deadline_ms,
            callback_token: None,
            cache: attempt.cache,
        };
        self.push(index, Verdict::Run(claim), attempt.reason);
        let function_arn = function.invoke_arn.clone();
        let step = index;
        self.plan.effects.push(Effect::InvokeStep { step, attempt_count, function_arn, payload });
    }

    /// Claims a Callback step for an attempt and asks for its message.
    pub(crate) fn claim_callback(
        &mut self,
        index: StepIndex,
        callback: &CallbackStep,
        arguments: Value,
        attempt: Attempt,
    ) {
        if self.states[index.0].phase != Phase::Executing && !self.has_slot() {
            return;
        }
        let start = self.start;
        let revision = self.plan.commit.revision;
        let (id, attempt_count) = (&start.execution_id, attempt.count);
        let token = start.secret.callback_token(id, index, attempt_count, revision);
        let claim = Claim {
            attempt_count,
            lease_until_ms: NO_LEASE_MS,
            started_at_ms: attempt.started_at_ms,
            deadline_ms: self.deadline(index),
            callback_token: Some(token.clone()),
            cache: None,
        };
        self.push(index, Verdict::Run(claim), attempt.reason);
        let record = CallbackRecord {
            execution_id: id.clone(),
            step: index,
            attempt_count,
            revision,
            is_unsent: true,
        };
        self.plan.callbacks.push((token.clone(), record));
        self.send(index, attempt_count, callback, &token, Some(arguments), "Executing");
    }

    /// SageMaker's message to the queue of a Callback step.
    pub(crate) fn send(
        &mut self,
        step: StepIndex,
        attempt_count: u32,
        callback: &CallbackStep,
        token: &str,
        arguments: Option<Value>,
        status: &str,
    ) {
        let mut body = json!({
            "token": token,
            "pipelineExecutionArn": self.start.execution_arn(),
            "status": status,
        });
        if let Some(arguments) = arguments {
            body["arguments"] = arguments;
        }
        let queue_url = callback.sqs_queue_url.clone();
        self.plan.effects.push(Effect::SendCallback { step, attempt_count, queue_url, body });
    }

    /// When the step's `TimeoutSeconds` are over for an attempt that begins now; the planner is to be woken then.
    fn deadline(&mut self, index: StepIndex) -> Option<u64> {
        let seconds = self.pipeline.step(index).timeout_seconds?;
        let at_ms = self.facts.now_ms + u64::from(seconds) * 1000;
        self.plan.effects.push(Effect::Wake { at_ms });
        Some(at_ms)
    }

    /// Ends an attempt that failed: with another one to follow if the step's policies say so.
    pub(crate) fn end_failed(&mut self, step: StepIndex, claim: Claim, failure: Failure) {
        let attempt_count = claim.attempt_count;
        let seed = format!("{}/{}", self.start.execution_id, step.0);
        let tried = Tried {
            failure: &failure,
            attempt_count,
            started_at_ms: claim.started_at_ms,
            now_ms: self.facts.now_ms,
            seed: &seed,
        };
        let next = next_attempt(&self.pipeline.step(step).retry_policies, tried);
        let result = match next.filter(|_| !self.is_stopping) {
            None => AttemptResult::Failed(failure),
            Some(delay) => {
                self.plan.effects.push(Effect::Wake { at_ms: delay.at_ms });
                AttemptResult::Retried(Retried { failure, at_ms: delay.at_ms, claim })
            }
        };
        self.complete(Completion { step, attempt_count, result });
    }

    /// The claim on a step that executes; `None` while its commit is missing.
    fn claim_of(&mut self, step: StepIndex) -> Option<Claim> {
        match self.resolver().commit(self.states[step.0].revision) {
            Ok(commit) => commit.claim(step).cloned(),
            Err(need) => {
                self.need([need]);
                None
            }
        }
    }

    /// Begins a new attempt in place of one that was lost, or gives up.
    pub(crate) fn attempt_lost(&mut self, name: &StepName, last_attempt: u32) {
        let Some(step) = self.pipeline.find(name) else {
            let (step, reason) = (name.clone(), UNKNOWN_STEP);
            return self.plan.discarded.push(Discarded { step, attempt_count: 0, reason });
        };
        if self.states[step.0].phase != Phase::Executing {
            return;
        }
        let Some(claim) = self.claim_of(step) else { return };
        if self.is_stopping {
            let reason =
                format!("attempt {} was lost while the execution stopped", claim.attempt_count);
            return self.push(
                step,
                Verdict::Stopped { attempt_count: claim.attempt_count },
                reason,
            );
        }
        if self.facts.is_held {
            return;
        }
        if claim.attempt_count < last_attempt {
            let reason = format!("attempt {} was lost", claim.attempt_count);
            return self.try_again(step, &claim, reason, true);
        }
        let message = format!("nothing was heard of {} attempts", claim.attempt_count);
        let failure = Failure::new(FailureType::AttemptLost, message);
        self.end_failed(step, claim, failure);
    }

    /// The next attempt of a step. Does nothing while facts are missing.
    fn try_again(&mut self, step: StepIndex, claim: &Claim, reason: String, is_after_loss: bool) {
        let attempt = Attempt {
            count: claim.attempt_count + 1,
            started_at_ms: claim.started_at_ms,
            cache: claim.cache.clone(),
            reason,
            is_after_loss,
        };
        let pipeline = self.pipeline;
        let arguments = match &pipeline.step(step).kind {
            StepKind::Lambda(lambda) => &lambda.arguments,
            StepKind::Callback(callback) => &callback.arguments,
            _ => return,
        };
        let arguments = match self.evaluate(step, arguments) {
            None => return,
            Some(Ok(arguments)) => arguments,
            Some(Err(why)) => return self.fail(step, FailureType::Arguments, why),
        };
        match &pipeline.step(step).kind {
            StepKind::Lambda(lambda) => self.claim(step, lambda, &arguments, attempt),
            StepKind::Callback(callback) => {
                self.claim_callback(step, callback, arguments, attempt);
            }
            _ => {}
        }
    }

    /// Begins the next attempts of steps whose delay is over.
    pub(crate) fn retry_due(&mut self) {
        for step in self.pipeline.indexes() {
            let state = self.states[step.0];
            if state.phase != Phase::Retrying {
                continue;
            }
            let commit = match self.resolver().commit(state.revision) {
                Ok(commit) => commit,
                Err(need) => {
                    self.need([need]);
                    continue;
                }
            };
            let result = commit.completion(step).map(|completion| &completion.result);
            let Some(AttemptResult::Retried(retried)) = result.cloned() else { continue };
            if retried.at_ms <= self.facts.now_ms {
                let Failure { error_type, message } = &retried.failure;
                let count = retried.claim.attempt_count;
                let reason = format!("attempt {count} failed: {error_type}: {message}");
                self.try_again(step, &retried.claim, reason, false);
            }
        }
    }

    /// Fails the attempts whose `TimeoutSeconds` are over.
    pub(crate) fn time_out(&mut self) {
        for step in self.pipeline.indexes() {
            let Some(seconds) = self.pipeline.step(step).timeout_seconds else { continue };
            if self.states[step.0].phase != Phase::Executing {
                continue;
            }
            let Some(claim) = self.claim_of(step) else { continue };
            if claim.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= self.facts.now_ms) {
                let message = format!("no result within {seconds} s (`TimeoutSeconds`)");
                let failure = Failure::new(FailureType::Timeout, message);
                self.end_failed(step, claim, failure);
            }
        }
    }
}
