//! Reports how a job ended.

use bytes::Bytes;
use serde_json::{Value, json};
use sidestep_core::job::answer::{ANSWER_NAME, duration_ms};
use sidestep_core::job::outcome::{JobState, state};
use sidestep_core::plan::{Event, ReportedResult};

use super::running::{Described, RunningJob};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::sweep::Leases;

impl Engine {
    /// Asks the service for a job, and reports the attempt's end if it has one.
    pub(super) async fn settle_job(
        &self,
        job: &RunningJob,
        leases: Leases,
    ) -> Result<(), EngineError> {
        let event = match self.describe_job(job).await? {
            Described::Found(answer) => return self.settle_answer(job, &answer).await,
            Described::NotFound => self.of_missing(job, leases).await?,
            Described::Failed(failure) => Some(job.report(ReportedResult::Failed(failure))),
            Described::NotNow => None,
        };
        self.report_job(job, event).await
    }

    /// Reports the end that an answer of the service tells, if it tells one.
    pub(super) async fn settle_answer(
        &self,
        job: &RunningJob,
        answer: &Value,
    ) -> Result<(), EngineError> {
        let result = match state(&job.kind, answer) {
            JobState::Running => None,
            JobState::Completed => Some(self.keep_answer(job, answer).await?),
            JobState::Failed(failure) => Some(ReportedResult::Failed(failure)),
            JobState::Stopped(failure) => Some(ReportedResult::Stopped(failure)),
        };
        self.report_job(job, result.map(|result| job.report(result))).await
    }

    async fn report_job(&self, job: &RunningJob, event: Option<Event>) -> Result<(), EngineError> {
        let Some(event) = event else { return Ok(()) };
        self.advance(&job.loaded.start.execution_id, vec![event]).await.map(drop)
    }

    /// Keeps the whole answer as an object, and returns the result that it is.
    async fn keep_answer(
        &self,
        job: &RunningJob,
        answer: &Value,
    ) -> Result<ReportedResult, EngineError> {
        let outputs = answer.as_object().cloned().unwrap_or_default();
        let uri = job.prefix().join(ANSWER_NAME);
        let text = json!({ "Outputs": outputs }).to_string();
        self.objects.create(&uri, Bytes::from(text), "application/json").await?;
        Ok(ReportedResult::Succeeded {
            outputs,
            artifacts: Vec::new(),
            duration_ms: duration_ms(&job.kind, answer),
            manifest: Some(uri),
        })
    }
}
