//! Performs the effects of a commit.

use futures::future::join_all;
use sidestep_core::definition::{Pipeline, StepIndex};
use sidestep_core::execution::commit::Failure;
use sidestep_core::execution::invocation::AttemptName;
use sidestep_core::execution::proof::{Proof, Token};
use sidestep_core::execution::start::Start;
use sidestep_core::failure::FailureType;
use sidestep_core::job::start::{Act, JobCall};
use sidestep_core::plan::{CallbackRecord, Effect, Event, Plan, Report, ReportedResult};
use tracing::warn;

use crate::engine::Engine;
use crate::error::{EngineError, error_chain};

impl Engine {
    /// Performs the effects of a commit. Returns a failure report for each that could not be
    /// started.
    pub(super) async fn perform(
        &self,
        start: &Start,
        pipeline: &Pipeline,
        plan: &Plan,
    ) -> Vec<Event> {
        let revision = plan.commit.revision;
        let id = &start.execution_id;
        let performed = paced(start, plan).map(|(effect, delay_ms)| async move {
            let (step, attempt_count, failure) = match effect {
                Effect::InvokeStep { step, attempt_count, function_arn, payload } => {
                    let attempt = AttemptName {
                        execution_id: id.clone(),
                        step_name: pipeline.step(*step).name.clone(),
                        attempt_count: *attempt_count,
                    };
                    let invoked = self.functions.invoke(function_arn, payload, &attempt).await;
                    let error = match invoked {
                        Ok(request_id) => {
                            self.record_request(start, pipeline, &request_id, attempt, revision)
                                .await;
                            return None;
                        }
                        Err(error) => error,
                    };
                    if self.may_have_arrived(payload).await {
                        return None;
                    }
                    let failure = Failure::new(error.failure_type(), error_chain(&error));
                    (*step, *attempt_count, failure)
                }
                Effect::SendCallback { step, attempt_count, queue_url, body } => {
                    let Err(error) = self.queues.send(queue_url, body).await else {
                        self.note_sent(plan, *step).await;
                        return None;
                    };
                    let failure = Failure::new(error.failure_type(), error_chain(&error));
                    (*step, *attempt_count, failure)
                }
                Effect::CallJob { step, function_arn, call } => {
                    let called = Box::pin(self.call_job(function_arn, call, delay_ms));
                    let error = called.await.err()?;
                    let failure = not_called(call, &error)?;
                    (*step, call.attempt_count, failure)
                }
                Effect::Wake { at_ms } => {
                    if let Err(error) = self.queues.wake(id, *at_ms, self.clock.now_ms()).await {
                        let error = error_chain(&error);
                        warn!(execution_id = %id, error, "left to the sweep: the planner will not be woken");
                    }
                    return None;
                }
            };
            let token = start.secret.token(id, step, attempt_count, revision);
            let (step, result) = (pipeline.step(step).name.clone(), ReportedResult::Failed(failure));
            let proof = Proof::Token(Token(token));
            Some(Event::Reported(Report { step, attempt_count, proof, result }))
        });
        join_all(performed).await.into_iter().flatten().collect()
    }

    /// Calls the job function, or leaves the call to be made after a delay.
    async fn call_job(
        &self,
        function_arn: &str,
        call: &JobCall,
        delay_ms: u64,
    ) -> Result<(), EngineError> {
        let event = call.event();
        if delay_ms == 0 {
            return self.invoke_job_function(function_arn, &call.attempt(), &event).await;
        }
        let now_ms = self.clock.now_ms();
        Ok(self.queues.later(&event, now_ms + delay_ms, now_ms).await?)
    }

    /// Records the use of the cache entries that were hit.
    pub(super) async fn touch(&self, plan: &Plan) {
        let now_ms = self.clock.now_ms();
        join_all(plan.touch.iter().map(|key| async move {
            if let Err(error) = self.cache.touch(key, now_ms).await {
                let error = error_chain(&error);
                warn!(%key, error, "the entry counts as unused: its use could not be recorded");
            }
        }))
        .await;
    }

    /// Notes that the message of a Callback step is in its queue. Without the note, the sweep sends
    /// it again.
    async fn note_sent(&self, plan: &Plan, step: StepIndex) {
        let Some((token, record)) = plan.callbacks.iter().find(|(_, record)| record.step == step)
        else {
            return;
        };
        let record = CallbackRecord { is_unsent: false, ..record.clone() };
        if let Err(error) = self.executions.put_callback(token, &record).await {
            let error = error_chain(&error);
            warn!(execution_id = %record.execution_id, error, "a callback's message may be sent again");
        }
    }
}

/// Returns the effects, each with its delay in milliseconds: the service of jobs takes one create
/// call a second.
fn paced<'p>(start: &Start, plan: &'p Plan) -> impl Iterator<Item = (&'p Effect, u64)> {
    let pace_ms = start.jobs.as_ref().map_or(0, |jobs| jobs.pace_ms);
    plan.effects.iter().scan(0, move |count, effect| {
        let is_create = matches!(effect, Effect::CallJob { call, .. } if call.act != Act::Stop);
        let delay_ms = if is_create { *count * pace_ms } else { 0 };
        *count += u64::from(is_create);
        Some((effect, delay_ms))
    })
}

/// Returns the failure of an attempt whose job function could not be called. A stop that is not
/// asked for is left to the sweep.
fn not_called(call: &JobCall, error: &EngineError) -> Option<Failure> {
    let text = error_chain(error);
    if call.act == Act::Stop {
        warn!(execution_id = %call.execution_id, error = text, "the job is not stopped");
        return None;
    }
    Some(Failure::new(FailureType::ServiceFault, text))
}
