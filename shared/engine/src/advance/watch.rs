//! Tells the watcher which statuses a commit changed.

use sidestep_core::definition::Pipeline;
use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::Commit;
use sidestep_core::execution::start::Start;
use sidestep_core::plan::facts::Facts;
use sidestep_core::view::status_change::status_changes;
use tracing::warn;

use crate::engine::Engine;
use crate::error::error_chain;

impl Engine {
    /// Tells the watcher what a commit changed. A watcher that fails delays nothing.
    pub(crate) async fn tell_watcher(
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
            warn!(execution_id = %start.execution_id, error, "the watcher missed changes of status");
        }
    }
}
