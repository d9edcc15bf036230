//! Makes the job of an attempt.

use bytes::Bytes;
use serde_json::{Value, json};
use sidestep_core::execution::commit::Failure;
use sidestep_core::failure::FailureType;
use sidestep_core::job::refusal::Refusal;
use sidestep_core::job::start::JobCall;
use sidestep_core::plan::ReportedResult;
use sidestep_core::plan::lease::renewal_from;
use tracing::{info, warn};

use super::running::{Described, MADE_NAME, RunningJob, SERVICE};
use crate::engine::Engine;
use crate::error::{EngineError, error_chain};
use crate::ports::jobs::JobsError;

/// How long a create call may be put off in all, in milliseconds.
const PATIENCE_MS: u64 = 6 * 3_600_000;
/// The longest delay of one call, in milliseconds.
const LONGEST_DELAY_MS: u64 = 60_000;
/// How often a call is made again that may have arrived, or that the service failed.
const FAULT_TRIES: u32 = 6;

impl Engine {
    /// Makes a job, or finds that it was made before.
    ///
    /// Twice: the second call finds the first one's job by its name, and adopts it.
    pub(super) async fn create_job(
        &self,
        job: &RunningJob,
        call: &JobCall,
        request: &Value,
    ) -> Result<(), EngineError> {
        if job.is_stopping() {
            let text = "the execution was stopped before the job began";
            return self.job_stopped(job, text).await;
        }
        let operation = job.kind.create;
        match self.jobs_port()?.call(SERVICE, operation, request).await {
            Ok(_) => self.job_made(job, call).await,
            Err(JobsError::Refused { refused, .. }) => match refused.meaning(operation) {
                Refusal::Throttled => self.put_off(job, call, FailureType::Throttling).await,
                Refusal::InUse => self.adopt(job, call, request).await,
                Refusal::Failed(failure)
                    if failure.failure_type() == Some(FailureType::ServiceFault)
                        && call.tries < FAULT_TRIES =>
                {
                    self.put_off(job, call, FailureType::ServiceFault).await
                }
                Refusal::NotFound => Ok(()),
                Refusal::Failed(failure) => self.job_failed(job, failure).await,
            },
            Err(error @ JobsError::Unavailable { .. }) => {
                warn!(error = error_chain(&error), "the job may have been made");
                if call.tries < FAULT_TRIES {
                    return self.put_off(job, call, FailureType::ServiceFault).await;
                }
                let failure = Failure::new(FailureType::ServiceFault, error_chain(&error));
                self.job_failed(job, failure).await
            }
        }
    }

    /// Records that a job exists. If its attempt was given up meanwhile, it is stopped.
    async fn job_made(&self, job: &RunningJob, call: &JobCall) -> Result<(), EngineError> {
        let uri = job.prefix().join(MADE_NAME);
        let text = json!({ "Name": job.name, "Type": job.kind.step_type }).to_string();
        self.objects.create(&uri, Bytes::from(text), "application/json").await?;
        let now = self.running_job(call).await?;
        if now.is_none_or(|now| now.is_stopping()) {
            info!(name = job.name, "the attempt was given up, so its job is stopped");
            self.ask_to_stop(job).await?;
        }
        Ok(())
    }

    /// Takes a job for the attempt's own that has its name, if it was made by the same request.
    async fn adopt(
        &self,
        job: &RunningJob,
        call: &JobCall,
        request: &Value,
    ) -> Result<(), EngineError> {
        match self.describe_job(job).await? {
            Described::Found(answer) if is_of(request, &answer, job) => {
                info!(name = job.name, "the job of an earlier call is adopted");
                self.job_made(job, call).await?;
                self.settle_answer(job, &answer).await
            }
            Described::Found(_) => {
                let text = format!(
                    "a job of another party has the name `{}`: delete it, or resume the execution",
                    job.name
                );
                self.job_failed(job, Failure::new(FailureType::JobRefused, text)).await
            }
            Described::NotFound | Described::NotNow => {
                self.put_off(job, call, FailureType::ServiceFault).await
            }
            Described::Failed(failure) => self.job_failed(job, failure).await,
        }
    }

    /// Makes the call again later. That is waiting, and no attempt.
    pub(super) async fn put_off(
        &self,
        job: &RunningJob,
        call: &JobCall,
        failure_type: FailureType,
    ) -> Result<(), EngineError> {
        let now_ms = self.clock.now_ms();
        if now_ms.saturating_sub(job.claimed_at_ms) > PATIENCE_MS {
            let text = format!("the service refused calls for {} h", PATIENCE_MS / 3_600_000);
            return self.job_failed(job, Failure::new(failure_type, text)).await;
        }
        // By chance, so that calls that were refused together do not come back together.
        let longest_ms = (2_000 << call.tries.min(5)).min(LONGEST_DELAY_MS);
        let delay_ms = longest_ms / 2 + longest_ms * u64::from(self.clock.random()[0]) / 512;
        let at_ms = now_ms + delay_ms;
        let lease = renewal_from(&job.prefix(), at_ms);
        self.objects.create(&lease, Bytes::new(), "application/octet-stream").await?;
        let again = JobCall { tries: call.tries.saturating_add(1), ..call.clone() };
        info!(delay_ms, tries = again.tries, "the service refuses the call for now");
        Ok(self.queues.later(&again.event(), at_ms, now_ms).await?)
    }

    pub(super) async fn job_failed(
        &self,
        job: &RunningJob,
        failure: Failure,
    ) -> Result<(), EngineError> {
        let event = job.report(ReportedResult::Failed(failure));
        self.advance(&job.loaded.start.execution_id, vec![event]).await.map(drop)
    }

    pub(super) async fn job_stopped(
        &self,
        job: &RunningJob,
        text: &str,
    ) -> Result<(), EngineError> {
        let failure = Failure::new(FailureType::JobStopped, text);
        let event = job.report(ReportedResult::Stopped(failure));
        self.advance(&job.loaded.start.execution_id, vec![event]).await.map(drop)
    }
}

/// Returns true if a job was made by this request. The service adds members and leaves some out,
/// so what both have is compared.
fn is_of(request: &Value, answer: &Value, job: &RunningJob) -> bool {
    let is_other = |name: &str| name != job.kind.name_member && name != "Tags";
    let members = request.as_object().into_iter().flatten();
    members
        .filter(|(name, _)| is_other(name))
        .all(|(name, value)| answer.get(name).is_none_or(|found| agrees(value, found)))
}

fn agrees(asked: &Value, found: &Value) -> bool {
    match (asked, found) {
        (Value::Object(asked), Value::Object(found)) => asked
            .iter()
            .all(|(name, value)| found.get(name).is_none_or(|found| agrees(value, found))),
        (Value::Array(asked), Value::Array(found)) => {
            asked.len() == found.len() && asked.iter().zip(found).all(|(a, f)| agrees(a, f))
        }
        (asked, found) => asked == found,
    }
}
