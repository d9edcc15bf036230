//! Describes executions for users and programs.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::try_join_all;
use sidestep_core::execution::commit::{Commit, Outputs, Revision};
use sidestep_core::name::ExecutionId;
use sidestep_core::view::description::{ExecutionDescription, describe};

use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    /// Describes an execution with every step of its definition.
    pub async fn describe(&self, id: &ExecutionId) -> Result<ExecutionDescription, EngineError> {
        let (loaded, commits, late) = futures::try_join!(
            self.load(id),
            async { Ok(self.executions.all_commits(id).await?) },
            async { Ok(self.executions.late(id).await?) }
        )?;
        let stored = commits.iter().flat_map(|commit| {
            let steps = loaded.pipeline.indexes();
            steps.filter_map(|step| match &commit.produced(step)?.outputs {
                Outputs::Stored(uri) => Some(uri.clone()),
                Outputs::Inline(_) => None,
            })
        });
        let read = try_join_all(stored.map(|uri| async move {
            let document = self.document(&uri).await?;
            Ok::<_, EngineError>(document.ok().map(|document| (uri, document)))
        }))
        .await?;
        let documents: BTreeMap<_, _> = read.into_iter().flatten().collect();
        let now_ms = self.clock.now_ms();
        let described = describe(&loaded.start, &loaded.pipeline, &commits, &documents, now_ms);
        Ok(described.with_late(late))
    }

    /// Returns commits after `revision`, for a caller that follows an execution.
    ///
    /// If this process made the next ones, they come from memory, and later ones come with the next
    /// call.
    pub async fn next_commits(
        &self,
        id: &ExecutionId,
        revision: Revision,
    ) -> Result<Vec<Commit>, EngineError> {
        let remembered = (revision + 1..).map_while(|revision| self.memory.commit(id, revision));
        let known: Vec<_> = remembered.map(Arc::unwrap_or_clone).collect();
        match known.as_slice() {
            [] => Ok(self.executions.commits_after(id, revision).await?),
            _ => Ok(known),
        }
    }
}
