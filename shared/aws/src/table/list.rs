//! Lines of the list of executions, sorted by when they were started.

use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_engine::ports::executions::{ListRange, Summary, TableError};

use super::DynamoTable;
use super::error::classify;
use super::executions::{pipeline_key, status};
use super::item::{Item, numeric, saved, string, text, unreadable};

impl DynamoTable {
    /// The newest lines of a pipeline.
    pub(super) async fn newest_lines(
        &self,
        name: &PipelineName,
        limit: usize,
    ) -> Result<Vec<Summary>, TableError> {
        self.list_between(name, ("X#".to_owned(), "X#~".to_owned()), true, limit).await
    }

    pub(super) async fn lines_of_range(
        &self,
        pipeline_name: &PipelineName,
        range: &ListRange,
    ) -> Result<Vec<Summary>, TableError> {
        let (from, to) = (range.started_at_ms.start(), range.started_at_ms.end());
        let (mut from, mut to) = (time_key(*from), time_key(*to) + "#~");
        let Some(after) = &range.after else {
            return self
                .list_between(pipeline_name, (from, to), range.newest_first, range.limit)
                .await;
        };
        // Not `ExclusiveStartKey`: DynamoDB refuses one outside the range, and callers may narrow that between two pages.
        let bound = place_key(after.started_at_ms, &after.execution_id);
        if range.newest_first {
            to = to.min(bound);
        } else {
            from = from.max(bound);
        }
        let limit = range.limit.saturating_add(1);
        let lines = self.list_between(pipeline_name, (from, to), range.newest_first, limit).await?;
        let lines = lines.into_iter().filter(|line| line.place() != *after);
        Ok(lines.take(range.limit).collect())
    }

    /// At most `limit` lines between two keys, both included.
    async fn list_between(
        &self,
        name: &PipelineName,
        (from, to): (String, String),
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<Summary>, TableError> {
        if limit == 0 || from > to {
            return Ok(Vec::new());
        }
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("PK = :pk AND SK BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(pipeline_key(name)))
            .expression_attribute_values(":from", text(from))
            .expression_attribute_values(":to", text(to))
            .scan_index_forward(!newest_first)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let mut lines = query.into_paginator().items().send();
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(line) = lines.next().await else { break };
            let line = line.map_err(|error| classify("list", name.as_str(), error))?;
            found.push(summary(name, &line)?);
        }
        Ok(found)
    }
}

pub(super) fn place_key(started_at_ms: u64, id: &ExecutionId) -> String {
    format!("{}#{id}", time_key(started_at_ms))
}

/// Fifteen digits of milliseconds, so that executions sort by time.
fn time_key(started_at_ms: u64) -> String {
    format!("X#{:015}", started_at_ms.min(LAST_MS))
}

/// The last moment that a key can tell: in the year 33658.
const LAST_MS: u64 = 999_999_999_999_999;

fn summary(pipeline_name: &PipelineName, item: &Item) -> Result<Summary, TableError> {
    let key = string(item, "SK")?;
    let parts = || {
        let (started_at_ms, id) = key.strip_prefix("X#")?.split_once('#')?;
        Some((started_at_ms.parse().ok()?, ExecutionId::parse(id).ok()?))
    };
    let (started_at_ms, execution_id) =
        parts().ok_or_else(|| unreadable(item, "the key is not X#TIME#ID"))?;
    Ok(Summary {
        execution_id,
        pipeline_name: pipeline_name.clone(),
        started_at_ms,
        status: status(item)?,
        ended_at_ms: numeric(item, "EndedAt").ok(),
        failure_reason: string(item, "FailureReason").ok().map(str::to_owned),
        saved: saved(item),
    })
}
