//! The port to whoever watches executions: EventBridge, a log.

use std::sync::Arc;

use async_trait::async_trait;
use sidestep_core::definition::Pipeline;
use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::Commit;
use sidestep_core::execution::start::Start;
use sidestep_core::plan::facts::Facts;
use sidestep_core::view::status_change::{StatusChange, status_changes};
use tracing::warn;

use super::BoxError;
use crate::engine::{Engine, error_chain};

/// Takes changes of status. A change is told once, after its commit; a crash in between loses it, as EventBridge may.
#[async_trait]
pub trait Watcher: Send + Sync + std::fmt::Debug {
    async fn changed(&self, changes: &[StatusChange]) -> Result<(), BoxError>;
}

impl Engine {
    /// The same engine, which tells `watcher` what its commits change.
    pub fn watched(mut self, watcher: Arc<dyn Watcher>) -> Self {
        self.watcher = Some(watcher);
        self
    }

    /// Tells what a commit changed. A watcher that fails holds nothing up.
    pub(crate) async fn tell(
        &self,
        start: &Start,
        pipeline: &Pipeline,
        (before, after): (&Execution, &Execution),
        commit: &Commit,
        facts: &Facts,
    ) {
        let Some(watcher) = &self.watcher else { return };
        let changes = status_changes(start, pipeline, before, after, commit, facts);
        if let Err(error) = watcher.changed(&changes).await {
            let error = error_chain(&*error);
            warn!(execution_id = %start.execution_id, error, "changes of status were not told");
        }
    }
}
