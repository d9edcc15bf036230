//! Attempts: how they are claimed, and how they end in a failure, run out of time, or get lost.

use serde_json::{Value, json};

use crate::cache::key::KeyParts;
use crate::definition::{CallbackStep, LambdaStep, StepIndex, StepKind};
use crate::execution::commit::{AttemptResult, Claim, Completion, Failure, Retried, Verdict};
use crate::execution::inputs::Inputs;
use crate::execution::invocation::Invocation;
use crate::execution::phase::Phase;
use crate::execution::start::Function;
use crate::failure::FailureType;
use crate::limits::{LEASE_ATTEMPTS, PAYLOAD_BYTES, json_bytes};
use crate::name::StepName;
use crate::plan::draft::Draft;
use crate::plan::effect::{CallbackRecord, Discarded, Effect, UNKNOWN_STEP};
use crate::plan::lease::RENEWED_LEASE_MS;
use crate::plan::resolver::{Pending, Planned};
use crate::plan::retry::{Tried, next_attempt};

/// How long an attempt may stay in Lambda's queue before its function's own timeout begins to
/// count, in seconds.
const QUEUE_SECONDS: u64 = 900;
/// The lease of a Callback step whose message was sent: nothing but its answer or its
/// `TimeoutSeconds` ends it.
const NO_LEASE_MS: u64 = u64::MAX;

/// An attempt that is about to begin.
pub(crate) struct Attempt {
    pub(crate) count: u32,
    /// When the step's first attempt began.
    pub(crate) started_at_ms: u64,
    /// Where a success is published, if the step is cached.
    pub(crate) cache: Option<KeyParts>,
    /// The places in that key.
    pub(crate) inputs: Inputs,
    pub(crate) reason: String,
    /// If true, it replaces an attempt that was lost.
    pub(crate) is_after_loss: bool,
}

impl Draft<'_> {
    /// Returns the attempt with which a waiting step begins. Its number is 1, or goes on where the
    /// execution was resumed.
    pub(crate) fn next_attempt(&self, step: StepIndex, reason: String) -> Planned<Attempt> {
        let started_at_ms = self.facts.now_ms;
        Ok(Attempt {
            count: self.resolver().next_attempt_count(step)?,
            started_at_ms,
            cache: None,
            inputs: Inputs::default(),
            reason,
            is_after_loss: false,
        })
    }

    /// Returns true if the step may run beside those that do. Cached, reused and skipped steps and
    /// conditions take no slot; a step that runs already keeps its own.
    pub(crate) fn has_slot(&self, step: StepIndex) -> bool {
        let Some(limit) = self.start.max_parallel_execution_steps else { return true };
        let is_executing = |phase| phase == Phase::Executing;
        let running = self.states.iter().filter(|state| is_executing(state.phase)).count();
        is_executing(self.states[step.0].phase) || running < limit as usize
    }

    /// Claims a Lambda step for an attempt, and asks for its invocation. Without a free slot the
    /// step goes on waiting.
    pub(crate) fn claim(
        &mut self,
        index: StepIndex,
        lambda: &LambdaStep,
        arguments: &Value,
        attempt: Attempt,
    ) {
        let start = self.start;
        let Some(function) = start.functions.get(&lambda.function_arn) else { return };
        if !self.has_slot(index) {
            return;
        }
        let deadline_ms = self.deadline(index);
        let attempt_count = attempt.count;
        let revision = self.plan.commit.revision;
        let step_name = &self.pipeline.step(index).name;
        let invocation = Invocation {
            execution_id: start.execution_id.clone(),
            pipeline_name: start.pipeline_name.clone(),
            step_name: step_name.clone(),
            attempt_count,
            output_prefix: start.attempt_prefix(step_name, attempt_count),
            token: start.secret.token(&start.execution_id, index, attempt_count, revision),
            deadline_ms: deadline_ms.unwrap_or(self.facts.now_ms + longest_ms(function)),
            exactly_once_start: lambda.exactly_once_start,
        };
        let payload = function.event(arguments, &invocation);
        let size = json_bytes(&payload);
        if size > PAYLOAD_BYTES {
            let text =
                format!("the arguments have {size} bytes, over the limit of {PAYLOAD_BYTES}");
            return self.fail(index, FailureType::PayloadTooLarge, text);
        }
        let claim = Claim {
            attempt_count,
            lease_until_ms: self.facts.now_ms + lease_ms(function, &attempt),
            started_at_ms: attempt.started_at_ms,
            deadline_ms,
            callback_token: None,
            job: None,
            cache: attempt.cache,
            inputs: attempt.inputs,
        };
        self.record(index, Verdict::Run(claim), attempt.reason);
        let function_arn = function.invoke_arn.clone();
        self.plan.effects.push(Effect::InvokeStep {
            step: index,
            attempt_count,
            function_arn,
            payload,
        });
    }

    /// Claims a Callback step for an attempt, and asks for its message. Without a free slot the
    /// step goes on waiting.
    pub(crate) fn claim_callback(
        &mut self,
        index: StepIndex,
        callback: &CallbackStep,
        arguments: Value,
        attempt: Attempt,
    ) {
        if !self.has_slot(index) {
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
            job: None,
            cache: None,
            inputs: Inputs::default(),
        };
        self.record(index, Verdict::Run(claim), attempt.reason);
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

    /// Asks for SageMaker's message to the queue of a Callback step.
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
        let queue_url = callback.sqs_queue_url.resolve(&self.start.parameters).into_owned();
        self.plan.effects.push(Effect::SendCallback { step, attempt_count, queue_url, body });
    }

    /// Returns when the step's `TimeoutSeconds` are over for an attempt that begins now, and asks
    /// for the planner to be called then.
    fn deadline(&mut self, index: StepIndex) -> Option<u64> {
        let seconds = self.pipeline.step(index).timeout_seconds?;
        let at_ms = self.facts.now_ms + u64::from(seconds) * 1000;
        self.plan.effects.push(Effect::Wake { at_ms });
        Some(at_ms)
    }

    /// Ends an attempt that failed. Another one follows if the step's policies say so.
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
                AttemptResult::Retried(Box::new(Retried { failure, at_ms: delay.at_ms, claim }))
            }
        };
        self.complete(Completion { step, attempt_count, result });
    }

    /// Returns the claim on a step that executes.
    fn claim_of(&self, step: StepIndex) -> Planned<Option<Claim>> {
        let commit = self.resolver().commit(self.states[step.0].revision)?;
        Ok(commit.claim(step).cloned())
    }

    /// Begins a new attempt in place of one that was lost, or gives the step up.
    pub(crate) fn attempt_lost(&mut self, name: &StepName, last_attempt: u32) -> Planned<()> {
        let Some(step) = self.pipeline.find(name) else {
            let (step, reason) = (name.clone(), UNKNOWN_STEP);
            self.plan.discarded.push(Discarded { step, attempt_count: 0, reason });
            return Ok(());
        };
        if self.states[step.0].phase != Phase::Executing {
            return Ok(());
        }
        let Some(claim) = self.claim_of(step)? else { return Ok(()) };
        let attempt_count = claim.attempt_count;
        if self.is_stopping {
            let reason = format!("attempt {attempt_count} was lost");
            self.record(step, Verdict::Stopped { attempt_count }, reason);
        } else if self.facts.is_held {
            // A process that has the functions takes care of it.
        } else if attempt_count < last_attempt {
            let reason = format!("attempt {attempt_count} was lost");
            self.try_again(step, &claim, reason, true)?;
        } else {
            let message = format!("nothing was heard of {attempt_count} attempts");
            let failure = Failure::new(FailureType::AttemptLost, message);
            self.end_failed(step, claim, failure);
        }
        Ok(())
    }

    /// Begins the next attempt of a step.
    fn try_again(
        &mut self,
        step: StepIndex,
        claim: &Claim,
        reason: String,
        is_after_loss: bool,
    ) -> Planned<()> {
        let attempt = Attempt {
            count: claim.attempt_count + 1,
            started_at_ms: claim.started_at_ms,
            cache: claim.cache.clone(),
            inputs: claim.inputs.clone(),
            reason,
            is_after_loss,
        };
        let kind = &self.pipeline.step(step).kind;
        let arguments = match kind {
            StepKind::Lambda(lambda) => &lambda.arguments,
            StepKind::Callback(callback) => &callback.arguments,
            StepKind::Job(job) => {
                if let Some(new) = self.new_job(step, job)? {
                    self.claim_job(step, &new, attempt);
                }
                return Ok(());
            }
            StepKind::Condition { .. } | StepKind::Fail { .. } => return Ok(()),
        };
        match (self.evaluate(step, arguments)?, kind) {
            (Err(why), _) => self.fail(step, FailureType::Arguments, why),
            (Ok(arguments), StepKind::Lambda(lambda)) => {
                self.claim(step, lambda, &arguments, attempt);
            }
            (Ok(arguments), StepKind::Callback(callback)) => {
                self.claim_callback(step, callback, arguments, attempt);
            }
            _ => {}
        }
        Ok(())
    }

    /// Begins the next attempts of the steps whose delay is over.
    pub(crate) fn retry_due(&mut self) {
        for step in self.pipeline.indexes() {
            if self.states[step.0].phase == Phase::Retrying {
                let (Ok(()) | Err(Pending)) = self.retry_step_if_due(step);
            }
        }
    }

    fn retry_step_if_due(&mut self, step: StepIndex) -> Planned<()> {
        let commit = self.resolver().commit(self.states[step.0].revision)?;
        let result = commit.completion(step).map(|completion| &completion.result);
        let Some(AttemptResult::Retried(retried)) = result.cloned() else { return Ok(()) };
        if retried.at_ms <= self.facts.now_ms {
            let Failure { error_type, message } = &retried.failure;
            let count = retried.claim.attempt_count;
            let reason = format!("attempt {count} failed: {error_type}: {message}");
            self.try_again(step, &retried.claim, reason, false)?;
        }
        Ok(())
    }

    /// Fails the attempts whose `TimeoutSeconds` are over.
    pub(crate) fn time_out(&mut self) {
        for step in self.pipeline.indexes() {
            let timeout = self.pipeline.step(step).timeout_seconds;
            if let Some(seconds) = timeout
                && self.states[step.0].phase == Phase::Executing
                && let Ok(Some(claim)) = self.claim_of(step)
                && claim.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= self.facts.now_ms)
            {
                let message = format!("no result within {seconds} s (`TimeoutSeconds`)");
                self.end_failed(step, claim, Failure::new(FailureType::Timeout, message));
            }
        }
    }
}

/// Returns the longest time from an invocation to its function's end: Lambda's queue and then the
/// function's timeout.
fn longest_ms(function: &Function) -> u64 {
    (u64::from(function.timeout_seconds) + QUEUE_SECONDS) * 1000
}

/// Returns how long an attempt's lease is good.
///
/// It is short where the function's handler renews it. An account that is throttled keeps a whole
/// attempt in Lambda's queue: a lease that lapses there costs one invocation more, but must never
/// cost the step. So the lease is long after a lost attempt, and where no other attempt may follow.
fn lease_ms(function: &Function, attempt: &Attempt) -> u64 {
    let is_renewed = function.has_sdk && !attempt.is_after_loss && attempt.count < LEASE_ATTEMPTS;
    if is_renewed { RENEWED_LEASE_MS.min(longest_ms(function)) } else { longest_ms(function) }
}
