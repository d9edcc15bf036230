//! Which logs the user asks for.

use sidestep_core::name::{ExecutionId, StepName};
use sidestep_engine::loaded::Loaded;

use crate::hints::no_step;
use crate::output::error::CommandError;
use crate::session::Session;

/// The execution and the step whose logs are printed.
#[derive(Debug)]
pub(super) struct LogsRequest<'a> {
    /// An execution's id, its ARN, or `latest`.
    pub(super) execution: &'a str,
    /// All steps if there is none.
    pub(super) step: Option<StepName>,
    pub(super) follow: bool,
}

impl LogsRequest<'_> {
    /// Loads the execution. Refuses a step that its pipeline does not have.
    pub(super) async fn load(
        &self,
        session: &Session,
    ) -> Result<(ExecutionId, Loaded), CommandError> {
        let id = session.execution(self.execution).await?;
        let loaded = session.engine.load(&id).await?;
        if let Some(step) = self.step.as_ref().filter(|step| loaded.pipeline.find(step).is_none()) {
            let pipeline = &loaded.start.pipeline_name;
            let of = format!("pipeline `{pipeline}`");
            return Err(no_step(&loaded.pipeline, &of, step.as_str()));
        }
        Ok((id, loaded))
    }
}
