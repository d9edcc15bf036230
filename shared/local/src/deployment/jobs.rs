//! The job function of this process, and the service of jobs that it calls without a socket.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use sidestep_aws::Consumer;
use sidestep_core::job::refusal::Refused;
use sidestep_core::job::start::JobSettings;
use sidestep_engine::engine::Engine;
use sidestep_engine::error::error_chain;
use sidestep_engine::ports::jobs::{Jobs, JobsError};
use tracing::warn;

use super::names::{JOB, function_arn};
use crate::account::ACCOUNT_ID;
use crate::jobs::{JobListener, JobsServer};

/// Returns who starts jobs in the embedded cloud. It has no limit of create calls.
pub(super) fn local_job_settings() -> JobSettings {
    JobSettings { function_arn: function_arn(JOB), role_arn: Some(role_arn()), pace_ms: 0 }
}

/// Returns the role of jobs whose steps give none. The embedded cloud checks no role.
fn role_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT_ID}:role/sidestep")
}

/// [`Jobs`] over the embedded service.
#[derive(Debug)]
pub(super) struct LocalJobs {
    pub(super) service: JobsServer,
}

#[async_trait]
impl Jobs for LocalJobs {
    async fn call(&self, _: &str, operation: &str, body: &Value) -> Result<Value, JobsError> {
        let operation = operation.to_owned();
        let answered = self.service.answer(&operation, body.to_string().as_bytes()).await;
        let refused = |status, code: &str, message: &str| {
            let (code, message) = (code.to_owned(), message.to_owned());
            Err(JobsError::Refused { operation, refused: Refused { status, code, message } })
        };
        match answered {
            None => refused(400, "UnknownOperationException", ""),
            Some((status, answer)) if status < 300 => Ok(answer),
            Some((status, answer)) => {
                let code = answer["__type"].as_str().unwrap_or_default();
                let message = answer["message"].as_str().or(answer["Message"].as_str());
                let name = code.rsplit('#').next().unwrap_or_default();
                refused(status, name, message.unwrap_or_default())
            }
        }
    }
}

/// Returns what hears of jobs that end, and tells the job function of this process.
///
/// Never: the sweep finds the end.
pub(super) fn job_listener(engine: &Arc<Engine>) -> JobListener {
    let (engine, runtime) = (Arc::downgrade(engine), tokio::runtime::Handle::current());
    Arc::new(move |event: Value| {
        let Some(engine) = engine.upgrade() else { return };
        runtime.spawn(async move {
            if let Err(error) = engine.consume(Consumer::Job, event).await {
                let error = error_chain(&error);
                warn!(error, "the sweep looks at a job whose end was not taken in");
            }
        });
    })
}
