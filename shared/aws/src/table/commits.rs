//! Commits in the table: one item each, never edited.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use sidestep_core::execution::LAST_REVISION;
use sidestep_core::execution::commit::{Commit, Revision};
use sidestep_core::name::ExecutionId;
use sidestep_engine::ports::executions::{Committed, TableError};

use super::DynamoTable;
use super::error::classify;
use super::item::{Item, body, document, text};
use super::key::{commit_key, execution_key};

impl DynamoTable {
    /// Creates the commit at its revision, unless there is one.
    pub(super) async fn create_commit(
        &self,
        id: &ExecutionId,
        commit: &Commit,
    ) -> Result<Committed, TableError> {
        let item = document(execution_key(id), commit_key(commit.revision), commit);
        let Some(existing) = self.put_new(item).await? else { return Ok(Committed::Won) };
        let winner: Commit = body(&existing)?;
        // A put that timed out after it had succeeded finds its own commit.
        let is_own = winner == *commit;
        Ok(if is_own { Committed::Won } else { Committed::Lost(Box::new(winner)) })
    }

    /// Returns the commits at these revisions, in order. A single one is read without a batch.
    pub(super) async fn commits_at(
        &self,
        id: &ExecutionId,
        revisions: &[Revision],
    ) -> Result<Vec<Commit>, TableError> {
        let mut wanted = revisions.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        if let [revision] = wanted.as_slice() {
            let item = self.get(execution_key(id), &commit_key(*revision)).await?;
            return item.iter().map(body).collect();
        }
        let keys = wanted.iter().map(|revision| (execution_key(id), commit_key(*revision)));
        let items = self.batch_get(keys.collect()).await?;
        let mut commits: Vec<Commit> = items.iter().map(body).collect::<Result<_, _>>()?;
        commits.sort_unstable_by_key(|commit| commit.revision);
        Ok(commits)
    }

    /// Returns the commits after a revision, in order.
    pub(super) async fn commits_beyond(
        &self,
        id: &ExecutionId,
        revision: Revision,
    ) -> Result<Vec<Commit>, TableError> {
        self.read_commits(id, self.query_beyond(id, revision)).await?.iter().map(body).collect()
    }

    /// Returns the keys of the commits after a revision, the last first.
    pub(super) async fn commit_keys_beyond(
        &self,
        id: &ExecutionId,
        revision: Revision,
    ) -> Result<Vec<Item>, TableError> {
        let query = self.query_beyond(id, revision).scan_index_forward(false);
        self.read_commits(id, query.projection_expression("PK, SK")).await
    }

    fn query_beyond(&self, id: &ExecutionId, revision: Revision) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("PK = :pk AND SK BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(execution_key(id)))
            .expression_attribute_values(":from", text(commit_key(revision + 1)))
            .expression_attribute_values(":to", text(commit_key(LAST_REVISION)))
    }

    async fn read_commits(
        &self,
        id: &ExecutionId,
        query: QueryFluentBuilder,
    ) -> Result<Vec<Item>, TableError> {
        let items = query.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        items.map_err(|error| classify("read the commits of", id.as_str(), error))
    }
}
