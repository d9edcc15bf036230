//! The job function: makes the jobs of steps, stops them, and reports how they ended.
//!
//! It has the planner's rights and commits by itself, so a job needs no token and no manifest.

mod create;
mod end;
mod running;
mod stop;

use serde_json::{Value, json};
use sidestep_core::definition::StepIndex;
use sidestep_core::execution::invocation::AttemptName;
use sidestep_core::job::start::{Act, JobCall, JobEvent, job_event, look_event};
use tracing::{Instrument, info, info_span, warn};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::loaded::Loaded;
use crate::sweep::Leases;

impl Engine {
    /// Handles one event of the job function: a call, a look at an execution's jobs, or the
    /// service's own event.
    ///
    /// Twice: a job is found by its name, and an end that was reported is not reported again. After
    /// an error, the event should be delivered again.
    pub async fn handle_job(&self, event: &Value) -> Result<Value, EngineError> {
        match job_event(event) {
            JobEvent::Ignored(reason) => info!(reason, "event ignored"),
            JobEvent::Call(call) => {
                let span = info_span!("job", execution_id = %call.execution_id,
                    step_name = %call.step_name, attempt_count = call.attempt_count);
                self.called(*call).instrument(span).await?;
            }
            JobEvent::Look(id) => self.look_at_jobs(&id, Leases::ByTime).await?,
            JobEvent::Changed { name } => self.job_changed(&name).await?,
        }
        Ok(json!({}))
    }

    async fn called(&self, call: JobCall) -> Result<(), EngineError> {
        let Some(job) = self.running_job(&call).await? else {
            info!("the attempt has ended, so its job is not called for");
            return Ok(());
        };
        match &call.act {
            Act::Create(request) => self.create_job(&job, &call, request).await,
            Act::Stop => self.stop_job(&job, &call).await,
        }
    }

    /// Asks the job function to look at an execution's jobs, or looks at once in a process that
    /// calls the service itself.
    pub(crate) async fn ask_for_look(
        &self,
        loaded: &Loaded,
        steps: &[StepIndex],
        leases: Leases,
    ) -> Result<(), EngineError> {
        let id = &loaded.start.execution_id;
        let first = steps.iter().find(|step| self::running::is_job(loaded, **step));
        let (Some(jobs), Some(first)) = (&loaded.start.jobs, first) else { return Ok(()) };
        if self.jobs.is_some() {
            return self.look_at_jobs(id, leases).await;
        }
        let step_name = loaded.pipeline.step(*first).name.clone();
        let attempt = AttemptName { execution_id: id.clone(), step_name, attempt_count: 1 };
        self.invoke_job_function(&jobs.function_arn, &attempt, &look_event(id)).await
    }

    /// Passes a call on that had to wait.
    pub(crate) async fn forward_job(&self, call: JobCall) -> Result<(), EngineError> {
        let start = self.start_of(&call.execution_id).await?;
        let Some(jobs) = start.and_then(|start| start.jobs.clone()) else {
            warn!(execution_id = %call.execution_id, "a call about an unknown job is ignored");
            return Ok(());
        };
        self.invoke_job_function(&jobs.function_arn, &call.attempt(), &call.event()).await
    }
}
