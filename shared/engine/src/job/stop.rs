//! Stops the job of an attempt.

use serde_json::json;
use sidestep_core::failure::FailureType;
use sidestep_core::job::refusal::Refusal;
use sidestep_core::job::start::JobCall;

use super::running::{MADE_NAME, RunningJob, SERVICE};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::ports::jobs::JobsError;
use crate::sweep::Leases;

/// What became of a request to stop a job.
pub(super) enum Stopping {
    /// It is accepted, or the job has ended. The step ends with the job.
    Asked,
    NotFound,
    NotNow,
}

impl Engine {
    /// Stops a job. The step ends once the job has.
    pub(super) async fn stop_job(
        &self,
        job: &RunningJob,
        call: &JobCall,
    ) -> Result<(), EngineError> {
        match self.ask_to_stop(job).await? {
            // It may have ended before the request came.
            Stopping::Asked => self.settle_job(job, Leases::ByTime).await,
            Stopping::NotNow => self.put_off(job, call, FailureType::Throttling).await,
            Stopping::NotFound => {
                let was_made = self.objects.head(&job.prefix().join(MADE_NAME)).await?.is_some();
                let text = if was_made {
                    "the job was deleted"
                } else {
                    "the execution was stopped before the job began"
                };
                self.job_stopped(job, text).await
            }
        }
    }

    /// Asks the service to stop a job.
    pub(super) async fn ask_to_stop(&self, job: &RunningJob) -> Result<Stopping, EngineError> {
        let Some(operation) = job.kind.stop else { return Ok(Stopping::Asked) };
        let body = json!({ job.kind.name_member: job.name });
        Ok(match self.jobs_port()?.call(SERVICE, operation, &body).await {
            Ok(_) => Stopping::Asked,
            Err(JobsError::Refused { refused, .. }) => match refused.meaning(operation) {
                Refusal::NotFound => Stopping::NotFound,
                Refusal::Throttled => Stopping::NotNow,
                Refusal::Failed(failure)
                    if failure.failure_type() == Some(FailureType::ServiceFault) =>
                {
                    Stopping::NotNow
                }
                // A job in a final state cannot be stopped.
                Refusal::InUse | Refusal::Failed(_) => Stopping::Asked,
            },
            Err(JobsError::Unavailable { .. }) => Stopping::NotNow,
        })
    }
}
