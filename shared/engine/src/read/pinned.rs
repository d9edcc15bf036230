//! The versions of functions that executions may still invoke.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use sidestep_core::name::ExecutionId;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::read::cache::PARALLEL;

impl Engine {
    /// Returns what executions invoke, with its version, for each execution that runs, and for each
    /// that began at the cut-off or later and can be retried.
    pub async fn pinned_functions(&self, cut_off_ms: u64) -> Result<BTreeSet<String>, EngineError> {
        let live = self.executions.live().await?;
        let listed = self.executions.list(None, usize::MAX).await?;
        let kept = listed
            .into_iter()
            .filter(|line| line.started_at_ms >= cut_off_ms || !line.status.is_over());
        let ids: BTreeSet<ExecutionId> = kept.map(|line| line.execution_id).chain(live).collect();
        let reads = stream::iter(ids).map(|id| async move { self.start_of(&id).await });
        let starts: Vec<_> = reads.buffer_unordered(PARALLEL).try_collect().await?;
        let functions = starts.iter().flatten().flat_map(|start| start.functions.values());
        Ok(functions.map(|function| function.invoke_arn.clone()).collect())
    }
}
