//! Executions in the table.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnValuesOnConditionCheckFailure};
use sidestep_core::commit::{Commit, End, Revision};
use sidestep_core::execution::{Execution, ExecutionStatus};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::start::Start;
use sidestep_engine::store::{Committed, Creation, ExecutionStore, Summary, TableError};

use super::error::{classify, is};
use super::item::{
    Item, body, commit_key, document, execution_key, integer, number, string, text, unreadable,
};
use super::{DynamoTable, LIVE_INDEX};

/// Keys of one `BatchGetItem`, by DynamoDB's limit.
const BATCH: usize = 100;

#[async_trait]
impl ExecutionStore for DynamoTable {
    async fn create(&self, start: &Start, step_count: usize) -> Result<Creation, TableError> {
        let pk = execution_key(&start.execution_id);
        let existing = self.put_new(document(pk.clone(), "START", start)).await?;
        let existing: Option<Start> = existing.as_ref().map(body).transpose()?;
        let creation =
            existing.clone().map_or(Creation::New, |start| Creation::Exists(Box::new(start)));
        // The first start counts, also for what a crash left unwritten.
        let start = existing.as_ref().unwrap_or(start);
        let execution = Execution::new(step_count);
        let head = HashMap::from([
            ("PK".to_owned(), text(pk)),
            ("SK".to_owned(), text("HEAD")),
            ("Status".to_owned(), text(execution.status.name())),
            ("Revision".to_owned(), number(execution.revision)),
            ("Steps".to_owned(), text(execution.encode_steps())),
            ("Live".to_owned(), text("1")),
            ("StartedAt".to_owned(), number(start.started_at_ms)),
        ]);
        let line = HashMap::from([
            ("PK".to_owned(), text(pipeline_key(&start.pipeline_name))),
            ("SK".to_owned(), text(line_key(start))),
            ("Status".to_owned(), text(execution.status.name())),
        ]);
        let pipeline = HashMap::from([
            ("PK".to_owned(), text("P")),
            ("SK".to_owned(), text(start.pipeline_name.as_str())),
        ]);
        futures::try_join!(self.put_new(head), self.put_new(line), self.put_new(pipeline))?;
        Ok(creation)
    }

    async fn start(&self, id: &ExecutionId) -> Result<Option<Start>, TableError> {
        let item = self.get(execution_key(id), "START").await?;
        item.as_ref().map(body).transpose()
    }

    async fn head(&self, id: &ExecutionId) -> Result<Option<Execution>, TableError> {
        let Some(item) = self.get(execution_key(id), "HEAD").await? else { return Ok(None) };
        let steps = Execution::decode_steps(string(&item, "Steps")?);
        Ok(Some(Execution {
            status: status(&item)?,
            revision: integer(&item, "Revision")?,
            steps: steps.map_err(|error| unreadable(&item, &error.to_string()))?,
        }))
    }

    async fn commits(&self, id: &ExecutionId, of: &[Revision]) -> Result<Vec<Commit>, TableError> {
        let mut of = of.to_vec();
        of.sort_unstable();
        of.dedup();
        if let [revision] = of.as_slice() {
            let item = self.get(execution_key(id), &commit_key(*revision)).await?;
            return item.iter().map(body).collect();
        }
        let keys = of.iter().map(|revision| (execution_key(id), commit_key(*revision)));
        let items = self.batch_get(keys.collect()).await?;
        let mut commits: Vec<Commit> = items.iter().map(body).collect::<Result<_, _>>()?;
        commits.sort_unstable_by_key(|commit| commit.revision);
        Ok(commits)
    }

    async fn all_commits(&self, id: &ExecutionId) -> Result<Vec<Commit>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("PK = :pk AND begins_with(SK, :sk)")
            .expression_attribute_values(":pk", text(execution_key(id)))
            .expression_attribute_values(":sk", text("C#"));
        let items = query.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let items = items.map_err(|error| classify("read the commits of", id.as_str(), error))?;
        items.iter().map(body).collect()
    }

    async fn commit(&self, id: &ExecutionId, commit: &Commit) -> Result<Committed, TableError> {
        let item = document(execution_key(id), commit_key(commit.revision), commit);
        match self.put_new(item).await? {
            None => Ok(Committed::Won),
            Some(existing) => {
                let winner: Commit = body(&existing)?;
                // A put that timed out after it had succeeded finds itself.
                Ok(if winner == *commit {
                    Committed::Won
                } else {
                    Committed::Lost(Box::new(winner))
                })
            }
        }
    }

    async fn advance_head(
        &self,
        start: &Start,
        execution: &Execution,
        end: Option<(&End, u64)>,
    ) -> Result<(), TableError> {
        let id = &start.execution_id;
        let remove = if end.is_some() { " REMOVE Live" } else { "" };
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("PK", text(execution_key(id)))
            .key("SK", text("HEAD"))
            .update_expression(format!(
                "SET #status = :status, Revision = :revision, Steps = :steps{remove}"
            ))
            .condition_expression("Revision < :revision")
            .expression_attribute_names("#status", "Status")
            .expression_attribute_values(":status", text(execution.status.name()))
            .expression_attribute_values(":revision", number(execution.revision))
            .expression_attribute_values(":steps", text(execution.encode_steps()));
        match update.send().await {
            Ok(_) => {}
            Err(error) if is(&error, "ConditionalCheckFailedException") => {}
            Err(error) => return Err(classify("update the HEAD of", id.as_str(), error)),
        }
        let Some((end, ended_at_ms)) = end else { return Ok(()) };
        let mut line = HashMap::from([
            ("PK".to_owned(), text(pipeline_key(&start.pipeline_name))),
            ("SK".to_owned(), text(line_key(start))),
            ("Status".to_owned(), text(execution.status.name())),
            ("EndedAt".to_owned(), number(ended_at_ms)),
        ]);
        line.extend(end.failure_reason.iter().map(|why| ("FailureReason".to_owned(), text(why))));
        let put = self.client.put_item().table_name(&self.name).set_item(Some(line));
        put.send().await.map_err(|error| classify("list", id.as_str(), error))?;
        Ok(())
    }

    async fn live(&self) -> Result<Vec<ExecutionId>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(LIVE_INDEX)
            .key_condition_expression("Live = :live")
            .expression_attribute_values(":live", text("1"));
        let items = query.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let items = items.map_err(|error| classify("query", LIVE_INDEX, error))?;
        let id = |item: &Item| {
            let id = string(item, "PK")?.trim_start_matches("E#");
            ExecutionId::parse(id).map_err(|error| unreadable(item, &error.to_string()))
        };
        items.iter().map(id).collect()
    }

    async fn list(
        &self,
        pipeline_name: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<Summary>, TableError> {
        let pipelines = match pipeline_name {
            Some(name) => vec![name.clone()],
            None => self.pipelines().await?,
        };
        let lists = pipelines.iter().map(|name| self.list_one(name, limit));
        let lists = futures::future::try_join_all(lists).await?;
        let mut all: Vec<_> = lists.into_iter().flatten().collect();
        all.sort_unstable_by_key(|line| {
            std::cmp::Reverse((line.started_at_ms, line.execution_id.clone()))
        });
        all.truncate(limit);
        Ok(all)
    }
}

impl DynamoTable {
    /// Writes an item unless there is one under its key, and returns the one that is there.
    async fn put_new(&self, item: Item) -> Result<Option<Item>, TableError> {
        let name = string(&item, "PK")?.to_owned();
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(PK)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(None),
            Err(error) => match existing(&error) {
                Some(item) => Ok(Some(item)),
                None => Err(classify("create", &name, error)),
            },
        }
    }

    async fn get(&self, pk: String, sk: &str) -> Result<Option<Item>, TableError> {
        let get = self.client.get_item().table_name(&self.name).consistent_read(true);
        let get = get.key("PK", text(&pk)).key("SK", text(sk)).send().await;
        Ok(get.map_err(|error| classify("read", &format!("{pk} {sk}"), error))?.item)
    }

    /// The items under these keys, in any order. At most 100 keys or 16 MB come at a time; the rest is asked for again.
    pub(super) async fn batch_get(
        &self,
        keys: Vec<(String, String)>,
    ) -> Result<Vec<Item>, TableError> {
        let key = |(pk, sk): (String, String)| {
            HashMap::from([("PK".to_owned(), text(pk)), ("SK".to_owned(), text(sk))])
        };
        let mut waiting: Vec<Item> = keys.into_iter().map(key).collect();
        let mut found = Vec::new();
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(BATCH));
            let wanted = KeysAndAttributes::builder().set_keys(Some(waiting)).consistent_read(true);
            let wanted = wanted.build().expect("keys are set");
            let answer =
                self.client.batch_get_item().request_items(&self.name, wanted).send().await;
            let answer = answer.map_err(|error| classify("read items of", &self.name, error))?;
            found.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
            waiting = rest;
            let unprocessed = answer.unprocessed_keys.into_iter().flatten();
            waiting.extend(unprocessed.flat_map(|(_, keys)| keys.keys));
        }
        Ok(found)
    }

    /// All items of a partition.
    pub(super) async fn query_all(&self, pk: &str) -> Result<Vec<Item>, TableError> {
        let query = self.client.query().table_name(&self.name).consistent_read(true);
        let query = query.key_condition_expression("PK = :pk");
        let query = query.expression_attribute_values(":pk", text(pk));
        let items = query.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        items.map_err(|error| classify("query", pk, error))
    }

    async fn pipelines(&self) -> Result<Vec<PipelineName>, TableError> {
        let items = self.query_all("P").await?;
        let name = |item: &Item| {
            PipelineName::parse(string(item, "SK")?)
                .map_err(|error| unreadable(item, &error.to_string()))
        };
        items.iter().map(name).collect()
    }

    async fn list_one(
        &self,
        name: &PipelineName,
        limit: usize,
    ) -> Result<Vec<Summary>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("PK = :pk AND begins_with(SK, :sk)")
            .expression_attribute_values(":pk", text(pipeline_key(name)))
            .expression_attribute_values(":sk", text("X#"))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let answer = query.send().await.map_err(|error| classify("list", name.as_str(), error))?;
        answer.items().iter().take(limit).map(|item| summary(name, item)).collect()
    }
}

fn existing(error: &SdkError<PutItemError>) -> Option<Item> {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(failed)) => failed.item().cloned(),
        _ => None,
    }
}

fn pipeline_key(name: &PipelineName) -> String {
    format!("P#{name}")
}

/// Fifteen digits of milliseconds, so that executions sort by time.
fn line_key(start: &Start) -> String {
    format!("X#{:015}#{}", start.started_at_ms, start.execution_id)
}

fn status(item: &Item) -> Result<ExecutionStatus, TableError> {
    let name = serde_json::Value::from(string(item, "Status")?);
    serde_json::from_value(name).map_err(|error| unreadable(item, &error.to_string()))
}

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
        ended_at_ms: integer(item, "EndedAt").ok(),
        failure_reason: string(item, "FailureReason").ok().map(str::to_owned),
    })
}
