//! Loads an execution: its start, its definition and its state.

use std::sync::Arc;

use sidestep_core::definition::Pipeline;
use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::Commit;
use sidestep_core::execution::start::Start;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::handoff::CarriedState;

use crate::engine::Engine;
use crate::error::EngineError;

/// An execution's state, with its start and its definition.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub start: Arc<Start>,
    pub pipeline: Arc<Pipeline>,
    pub execution: Execution,
}

impl Engine {
    /// Loads an execution's start, definition and `HEAD`.
    pub async fn load(&self, id: &ExecutionId) -> Result<Loaded, EngineError> {
        let head = async { Ok(self.executions.head(id).await?) };
        let (start, execution) = futures::try_join!(self.start_of(id), head)?;
        let (Some(start), Some(execution)) = (start, execution) else {
            return Err(EngineError::ExecutionNotFound(id.clone()));
        };
        let pipeline = self.pipeline_of(&start).await?;
        Ok(Loaded { start, pipeline, execution })
    }

    /// Loads an execution with the state in memory, if this process is the only planner and has
    /// one.
    pub(crate) async fn load_remembered(
        &self,
        id: &ExecutionId,
    ) -> Result<Option<Loaded>, EngineError> {
        let Some(execution) = self.memory.head(id) else { return Ok(None) };
        let found = self.start_of(id).await?;
        let start = found.ok_or_else(|| EngineError::ExecutionNotFound(id.clone()))?;
        let pipeline = self.pipeline_of(&start).await?;
        Ok(Some(Loaded { start, pipeline, execution }))
    }

    /// Loads an execution with the state that an invocation took along.
    pub(crate) async fn load_carried(&self, carried: CarriedState) -> Result<Loaded, EngineError> {
        let id = carried.start.execution_id.clone();
        let damaged = |source| EngineError::Damaged { execution_id: id, source };
        let execution = carried.execution().map_err(damaged)?;
        let start = Arc::new(carried.start);
        self.memory.keep_start(&start);
        let pipeline = self.pipeline_of(&start).await?;
        Ok(Loaded { start, pipeline, execution })
    }

    /// Returns an execution's start, or `None` if there is no such execution.
    pub(crate) async fn start_of(
        &self,
        id: &ExecutionId,
    ) -> Result<Option<Arc<Start>>, EngineError> {
        if let Some(start) = self.memory.start(id) {
            return Ok(Some(start));
        }
        let Some(start) = self.executions.start(id).await?.map(Arc::new) else { return Ok(None) };
        if start.state_version > self.state_version {
            let (found, known) = (start.state_version, self.state_version);
            return Err(EngineError::NewerState { execution_id: id.clone(), found, known });
        }
        self.memory.keep_start(&start);
        Ok(Some(start))
    }

    /// Returns the definition that an execution was started with, or one without steps if nothing
    /// was started: the definition itself may be what is wrong.
    pub(crate) async fn pipeline_of(&self, start: &Start) -> Result<Arc<Pipeline>, EngineError> {
        if start.refused.is_some() {
            return Ok(Arc::new(Pipeline::without_steps()));
        }
        self.definitions.get(&start.definition_digest, start.definition_format).await
    }
}

/// Applies the next commit to an execution.
pub(crate) fn fold(
    id: &ExecutionId,
    execution: &mut Execution,
    commit: &Commit,
) -> Result<(), EngineError> {
    let damaged = |source| EngineError::Damaged { execution_id: id.clone(), source };
    execution.apply(commit).map_err(damaged)
}
