//! Refusals: a trigger that starts nothing leaves an execution that failed before its first step.
//!
//! So an upload that a definition refuses is in the list with its reason and can be sent again.

use std::collections::BTreeMap;

use sidestep_core::execution::start::Refused;
use sidestep_core::name::ExecutionId;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::start::Origin;

impl Engine {
    /// Keeps what a trigger asked for as an execution of status Failed.
    ///
    /// Twice with one token: the second call finds the execution of the first. If that one has
    /// steps, because nothing stood against it then, it goes on as it is. Stopped half-way: the
    /// sweep ends the execution.
    pub(crate) async fn keep_refused(
        &self,
        origin: Origin,
        parameters: BTreeMap<String, String>,
        reason: String,
    ) -> Result<ExecutionId, EngineError> {
        let mut start = self.start_of_origin(origin);
        let id = start.execution_id.clone();
        match self.start_of(&id).await? {
            Some(existing) if existing.refused.is_none() => {
                let step_count = self.pipeline_of(&existing).await?.steps.len();
                self.executions.create(&existing, step_count).await?;
            }
            _ => {
                start.refused = Some(Refused { reason, parameters });
                self.executions.create(&start, 0).await?;
            }
        }
        self.advance(&id, Vec::new()).await?;
        Ok(id)
    }
}
