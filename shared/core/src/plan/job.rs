//! Job steps: how their attempts are claimed and stopped.

use serde_json::Value;

use crate::definition::{CacheConfig, JobStep, StepIndex};
use crate::execution::commit::{Claim, Failure, Verdict};
use crate::failure::FailureType;
use crate::job::JobType;
use crate::job::name::{Named, job_name};
use crate::job::request::{Additions, request, typed};
use crate::job::start::{Act, JobCall};
use crate::limits::{PAYLOAD_BYTES, json_bytes};
use crate::plan::attempt::Attempt;
use crate::plan::cache::CacheDecision;
use crate::plan::draft::Draft;
use crate::plan::effect::Effect;
use crate::plan::resolver::Planned;
use crate::plan::work::{Asked, Work};

/// How long the call that makes a job may take to arrive, in milliseconds. A job that was made has
/// no lease: the service is asked for it by its name.
const CALL_MS: u64 = 300_000;

/// A job that is about to be made.
pub(crate) struct NewJob {
    kind: JobType,
    pub(crate) name: String,
    /// The step's arguments, with text where the API has text.
    pub(crate) arguments: Value,
}

impl Draft<'_> {
    /// Decides about a job step whose turn has come.
    pub(crate) fn decide_job(
        &mut self,
        index: StepIndex,
        job: &JobStep,
        cache: Option<&CacheConfig>,
    ) -> Planned<()> {
        let Some(new) = self.new_job(index, job)? else { return Ok(()) };
        let work = Work::Job(job, &new.name);
        let asked = Asked { work, arguments: &new.arguments };
        match self.decide_cache(index, asked, cache)? {
            CacheDecision::Hit(hit, used) => self.hit(index, hit, used, "inputs and arguments"),
            CacheDecision::Wait => {}
            CacheDecision::Run { publish, reason } => {
                let (cache, inputs) = publish.unzip();
                let inputs = inputs.unwrap_or_default();
                let attempt = Attempt { cache, inputs, ..self.next_attempt(index, reason)? };
                self.claim_job(index, &new, attempt);
            }
        }
        Ok(())
    }

    /// Returns the job of the step's next attempt; `None` if the step failed because there can be
    /// none.
    pub(crate) fn new_job(&mut self, index: StepIndex, job: &JobStep) -> Planned<Option<NewJob>> {
        let failure = match self.job_of(index, job)? {
            // The engine refuses them before the start. This is for executions that another
            // release started.
            Ok(_) if self.start.jobs.is_none() => unsupported(job),
            Ok(new) => return Ok(Some(new)),
            Err(failure) => failure,
        };
        let failure_type = failure.failure_type().unwrap_or(FailureType::Arguments);
        self.fail(index, failure_type, failure.message);
        Ok(None)
    }

    /// Returns the job of the step's next attempt, or why there can be none.
    pub(crate) fn job_of(
        &self,
        index: StepIndex,
        job: &JobStep,
    ) -> Planned<Result<NewJob, Failure>> {
        let Some(kind) = JobType::of(job.step_type) else { return Ok(Err(unsupported(job))) };
        let arguments = match self.evaluate(index, &job.arguments)? {
            Ok(arguments @ Value::Object(_)) => typed(&arguments),
            Ok(_) => {
                let text = "the arguments are not an object";
                return Ok(Err(Failure::new(FailureType::Arguments, text)));
            }
            Err(why) => return Ok(Err(Failure::new(FailureType::Arguments, why))),
        };
        let attempt_count = self.resolver_of(index).next_attempt_count(index)?;
        let (step, prefix) =
            (&self.pipeline.step(index).name, arguments[kind.name_member].as_str());
        let of = Named { execution_id: &self.start.execution_id, step, attempt_count };
        Ok(Ok(NewJob { name: job_name(&kind, of, prefix), kind, arguments }))
    }

    /// Claims a job step for an attempt, and asks for its job. Without a free slot the step goes on
    /// waiting.
    pub(crate) fn claim_job(&mut self, index: StepIndex, new: &NewJob, attempt: Attempt) {
        if !self.has_slot(index) {
            return;
        }
        let (start, step_name) = (self.start, &self.pipeline.step(index).name);
        let Some(jobs) = &start.jobs else { return };
        let execution_arn = start.execution_arn();
        let additions = Additions {
            name: &new.name,
            execution_arn: &execution_arn,
            role_arn: jobs.role_arn.as_deref(),
        };
        let call = JobCall {
            execution_id: start.execution_id.clone(),
            step_name: step_name.clone(),
            attempt_count: attempt.count,
            act: Act::Create(request(&new.kind, &new.arguments, additions)),
            tries: 0,
        };
        let size = json_bytes(&call);
        if size > PAYLOAD_BYTES {
            let text =
                format!("the arguments have {size} bytes, over the limit of {PAYLOAD_BYTES}");
            return self.fail(index, FailureType::PayloadTooLarge, text);
        }
        let is_call = |effect: &&Effect| matches!(effect, Effect::CallJob { .. });
        let before = self.plan.effects.iter().filter(is_call).count() as u64;
        let claim = Claim {
            attempt_count: attempt.count,
            lease_until_ms: self.facts.now_ms + CALL_MS + before * jobs.pace_ms,
            started_at_ms: attempt.started_at_ms,
            deadline_ms: None,
            callback_token: None,
            job: Some(new.name.clone()),
            cache: attempt.cache,
            inputs: attempt.inputs,
        };
        self.record(index, Verdict::Run(claim), attempt.reason);
        let function_arn = jobs.function_arn.clone();
        self.plan.effects.push(Effect::CallJob { step: index, function_arn, call: Box::new(call) });
    }

    /// Asks for the job of an attempt to be stopped. The step runs until the job has ended.
    pub(crate) fn stop_job(&mut self, index: StepIndex, attempt_count: u32) {
        let Some(jobs) = &self.start.jobs else { return };
        let call = JobCall {
            execution_id: self.start.execution_id.clone(),
            step_name: self.pipeline.step(index).name.clone(),
            attempt_count,
            act: Act::Stop,
            tries: 0,
        };
        let function_arn = jobs.function_arn.clone();
        self.plan.effects.push(Effect::CallJob { step: index, function_arn, call: Box::new(call) });
    }
}

fn unsupported(job: &JobStep) -> Failure {
    let text = format!("steps of type {} cannot run here", job.step_type);
    Failure::new(FailureType::UnsupportedStepType, text)
}
