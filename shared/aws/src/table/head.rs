//! `HEAD` in the table: the folded state of an execution, and the index of the live ones.

use std::fmt::Write as _;

use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::Revision;
use sidestep_core::execution::start::Start;
use sidestep_core::name::ExecutionId;
use sidestep_engine::ports::executions::{HeadChange, TableError};

use super::error::{classify, is};
use super::item::{
    Item, keyed, number, numeric, saved, saved_attributes, status, string, text, unreadable,
};
use super::key::{execution_id, execution_key};
use super::{DynamoTable, LIVE_INDEX};

pub(super) const HEAD: &str = "HEAD";

impl DynamoTable {
    /// Writes the first `HEAD` of an execution, unless there is one.
    pub(super) async fn create_head(
        &self,
        start: &Start,
        execution: &Execution,
    ) -> Result<(), TableError> {
        let mut head = keyed(execution_key(&start.execution_id), HEAD);
        head.extend([
            ("Status".to_owned(), text(execution.status.name())),
            ("Revision".to_owned(), number(execution.revision)),
            ("Steps".to_owned(), text(execution.encode_steps())),
            ("Live".to_owned(), text("1")),
            ("StartedAt".to_owned(), number(start.started_at_ms)),
        ]);
        self.put_new(head).await.map(drop)
    }

    pub(super) async fn read_head(
        &self,
        id: &ExecutionId,
    ) -> Result<Option<Execution>, TableError> {
        let Some(item) = self.get(execution_key(id), HEAD).await? else { return Ok(None) };
        let steps = Execution::decode_steps(string(&item, "Steps")?);
        Ok(Some(Execution {
            status: status(&item)?,
            revision: numeric(&item, "Revision")?,
            steps: steps.map_err(|error| unreadable(&item, &error.to_string()))?,
            saved: saved(&item),
        }))
    }

    /// Brings `HEAD` up to `execution`, unless it is further already.
    pub(super) async fn write_head(
        &self,
        id: &ExecutionId,
        execution: &Execution,
        change: HeadChange<'_>,
    ) -> Result<(), TableError> {
        let saved: Item = saved_attributes(execution.saved).collect();
        let mut expression =
            "SET #status = :status, Revision = :revision, Steps = :steps".to_owned();
        for name in saved.keys() {
            let _ = write!(expression, ", {name} = :{name}");
        }
        expression += match change {
            HeadChange::Ongoing => "",
            HeadChange::Ended { .. } => " REMOVE Live",
            HeadChange::TakenUp => ", Live = :live REMOVE Asked",
        };
        let mut update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(keyed(execution_key(id), HEAD)))
            .update_expression(expression)
            .condition_expression("Revision < :revision")
            .expression_attribute_names("#status", "Status")
            .expression_attribute_values(":status", text(execution.status.name()))
            .expression_attribute_values(":revision", number(execution.revision))
            .expression_attribute_values(":steps", text(execution.encode_steps()));
        for (name, value) in saved {
            update = update.expression_attribute_values(format!(":{name}"), value);
        }
        if change == HeadChange::TakenUp {
            update = update.expression_attribute_values(":live", text("1"));
        }
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if is(&error, "ConditionalCheckFailedException") => Ok(()),
            Err(error) => Err(classify("update the HEAD of", id.as_str(), error)),
        }
    }

    /// Records in `HEAD` that the execution is to be retried, if it is still at `revision`.
    pub(super) async fn record_retry(
        &self,
        id: &ExecutionId,
        revision: Revision,
    ) -> Result<bool, TableError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(keyed(execution_key(id), HEAD)))
            .update_expression("SET Live = :live, Asked = :revision")
            .condition_expression("Revision = :revision")
            .expression_attribute_values(":live", text("1"))
            .expression_attribute_values(":revision", number(revision));
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error) if is(&error, "ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(classify("update the HEAD of", id.as_str(), error)),
        }
    }

    /// Returns true if [`Self::record_retry`] wrote to `HEAD` and `HEAD` has not moved since.
    pub(super) async fn is_retry_recorded(&self, id: &ExecutionId) -> Result<bool, TableError> {
        let Some(head) = self.get(execution_key(id), HEAD).await? else { return Ok(false) };
        let asked: Option<Revision> = numeric(&head, "Asked").ok();
        Ok(asked.is_some() && asked == numeric(&head, "Revision").ok())
    }

    /// Returns the executions in the index of live ones, oldest first.
    pub(super) async fn live_executions(&self) -> Result<Vec<ExecutionId>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(LIVE_INDEX)
            .key_condition_expression("Live = :live")
            .expression_attribute_values(":live", text("1"));
        let found = query.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let items = found.map_err(|error| classify("query", LIVE_INDEX, error))?;
        items.iter().map(execution_id).collect()
    }
}
