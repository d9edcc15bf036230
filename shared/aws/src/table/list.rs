//! The list of executions in the table: one entry for each, sorted by when it was started.

use sidestep_core::execution::Execution;
use sidestep_core::execution::start::Start;
use sidestep_core::name::PipelineName;
use sidestep_engine::ports::executions::{HeadChange, ListRange, Summary, TableError};

use super::DynamoTable;
use super::error::{classify, is};
use super::item::{Item, keyed, number, numeric, saved, saved_attributes, status, string, text};
use super::key::{entry_key, pipeline_key, place, place_key, time_key};

impl DynamoTable {
    /// Writes the first entry of an execution, unless there is one.
    pub(super) async fn create_entry(
        &self,
        start: &Start,
        execution: &Execution,
    ) -> Result<(), TableError> {
        self.put_new(entry(start, execution)).await.map(drop)
    }

    /// Writes an execution's entry when it ends or is retried. Otherwise the entry does not change.
    pub(super) async fn write_entry(
        &self,
        start: &Start,
        execution: &Execution,
        change: HeadChange<'_>,
    ) -> Result<(), TableError> {
        let mut item = entry(start, execution);
        match change {
            HeadChange::Ongoing => return Ok(()),
            HeadChange::TakenUp => {}
            HeadChange::Ended { end, at_ms } => {
                item.insert("EndedAt".to_owned(), number(at_ms));
                item.extend(saved_attributes(execution.saved));
                let reason = end.failure_reason.iter();
                item.extend(reason.map(|why| ("FailureReason".to_owned(), text(why))));
            }
        }
        item.insert("Revision".to_owned(), number(execution.revision));
        // A slow planner that writes how the execution once ended must not hide a later retry.
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(Revision) OR Revision < :revision")
            .expression_attribute_values(":revision", number(execution.revision));
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) if is(&error, "ConditionalCheckFailedException") => Ok(()),
            Err(error) => Err(classify("list", start.execution_id.as_str(), error)),
        }
    }

    /// Removes the revision from an execution's entry, so that the entry can be written again from
    /// the first revision on.
    pub(super) async fn reset_entry(&self, start: &Start) -> Result<(), TableError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(keyed(pipeline_key(&start.pipeline_name), entry_key(start))))
            .condition_expression("attribute_exists(PK)")
            .update_expression("REMOVE Revision");
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if is(&error, "ConditionalCheckFailedException") => Ok(()),
            Err(error) => Err(classify("list", start.execution_id.as_str(), error)),
        }
    }

    /// Returns the newest entries of a pipeline.
    pub(super) async fn newest_entries(
        &self,
        name: &PipelineName,
        limit: usize,
    ) -> Result<Vec<Summary>, TableError> {
        self.entries_between(name, ("X#".to_owned(), "X#~".to_owned()), true, limit).await
    }

    /// Returns the entries of a pipeline in a range.
    pub(super) async fn entries_in(
        &self,
        pipeline_name: &PipelineName,
        range: &ListRange,
    ) -> Result<Vec<Summary>, TableError> {
        let (first, last) = (range.started_at_ms.start(), range.started_at_ms.end());
        let (mut from, mut to) = (time_key(*first), time_key(*last) + "#~");
        let Some(after) = &range.after else {
            return self
                .entries_between(pipeline_name, (from, to), range.newest_first, range.limit)
                .await;
        };
        // This is not `ExclusiveStartKey`: DynamoDB refuses one outside the range, and callers may
        // narrow the range between two pages.
        let bound = place_key(after.started_at_ms, &after.execution_id);
        if range.newest_first {
            to = to.min(bound);
        } else {
            from = from.max(bound);
        }
        let limit = range.limit.saturating_add(1);
        let entries =
            self.entries_between(pipeline_name, (from, to), range.newest_first, limit).await?;
        let left = entries.into_iter().filter(|entry| entry.place() != *after);
        Ok(left.take(range.limit).collect())
    }

    /// Returns at most `limit` entries between two keys, both included.
    async fn entries_between(
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
        let mut items = query.into_paginator().items().send();
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(item) = items.next().await else { break };
            let item = item.map_err(|error| classify("list", name.as_str(), error))?;
            found.push(summary(name, &item)?);
        }
        Ok(found)
    }
}

fn entry(start: &Start, execution: &Execution) -> Item {
    let mut entry = keyed(pipeline_key(&start.pipeline_name), entry_key(start));
    entry.insert("Status".to_owned(), text(execution.status.name()));
    entry
}

fn summary(pipeline_name: &PipelineName, item: &Item) -> Result<Summary, TableError> {
    let (started_at_ms, execution_id) = place(item)?;
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
