//! Executions in the table.

use std::collections::HashMap;
use std::fmt::Write as _;

use async_trait::async_trait;
use sidestep_core::execution::commit::{Commit, Revision};
use sidestep_core::execution::start::Start;
use sidestep_core::execution::{Execution, ExecutionStatus, LAST_REVISION};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::CallbackRecord;
use sidestep_core::plan::late_report::LateReport;
use sidestep_engine::ports::executions::{
    Committed, Creation, ExecutionStore, HeadChange, ListRange, Summary, TableError,
};

use super::error::{classify, is};
use super::item::{
    Item, body, commit_key, document, execution_key, number, numeric, saved, saved_attributes,
    string, text, unreadable,
};
use super::list::place_key;
use super::{DynamoTable, LIVE_INDEX};

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
            revision: numeric(&item, "Revision")?,
            steps: steps.map_err(|error| unreadable(&item, &error.to_string()))?,
            saved: saved(&item),
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

    async fn commits_after(
        &self,
        id: &ExecutionId,
        revision: Revision,
    ) -> Result<Vec<Commit>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("PK = :pk AND SK BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(execution_key(id)))
            .expression_attribute_values(":from", text(commit_key(revision + 1)))
            .expression_attribute_values(":to", text(commit_key(LAST_REVISION)));
        let items = query.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let items = items.map_err(|error| classify("read the commits of", id.as_str(), error))?;
        items.iter().map(body).collect()
    }

    async fn all_commits(&self, id: &ExecutionId) -> Result<Vec<Commit>, TableError> {
        let items = self.query_beginning(execution_key(id), "C#", "read the commits of").await?;
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
        change: HeadChange<'_>,
    ) -> Result<(), TableError> {
        let id = &start.execution_id;
        let remove = match change {
            HeadChange::Ongoing => "",
            HeadChange::Ended { .. } => " REMOVE Live",
            HeadChange::TakenUp => ", Live = :live REMOVE Asked",
        };
        // Before HEAD: what is not over there is caught up with after a crash, and then this line is written again.
        if let Some(line) = line(start, execution, change) {
            // Whoever is slow to say how the execution once ended must not hide that it was taken up again.
            let put = self
                .client
                .put_item()
                .table_name(&self.name)
                .set_item(Some(line))
                .condition_expression("attribute_not_exists(Revision) OR Revision < :revision")
                .expression_attribute_values(":revision", number(execution.revision));
            match put.send().await {
                Err(error) if !is(&error, "ConditionalCheckFailedException") => {
                    return Err(classify("list", id.as_str(), error));
                }
                _ => {}
            }
        }
        let saved: Item = saved_attributes(execution.saved).collect();
        let mut set = "SET #status = :status, Revision = :revision, Steps = :steps".to_owned();
        for name in saved.keys() {
            let _ = write!(set, ", {name} = :{name}");
        }
        let mut update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("PK", text(execution_key(id)))
            .key("SK", text("HEAD"))
            .update_expression(set + remove)
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
            Ok(_) => {}
            Err(error) if is(&error, "ConditionalCheckFailedException") => {}
            Err(error) => return Err(classify("update the HEAD of", id.as_str(), error)),
        }
        Ok(())
    }

    async fn ask_retry(&self, id: &ExecutionId, revision: Revision) -> Result<bool, TableError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("PK", text(execution_key(id)))
            .key("SK", text("HEAD"))
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

    async fn is_retry_asked(&self, id: &ExecutionId) -> Result<bool, TableError> {
        let Some(head) = self.get(execution_key(id), "HEAD").await? else { return Ok(false) };
        let asked: Option<Revision> = numeric(&head, "Asked").ok();
        Ok(asked.is_some() && asked == numeric(&head, "Revision").ok())
    }

    async fn forget(&self, id: &ExecutionId, after: Revision) -> Result<(), TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .scan_index_forward(false)
            .key_condition_expression("PK = :pk AND SK BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(execution_key(id)))
            .expression_attribute_values(":from", text(commit_key(after + 1)))
            .expression_attribute_values(":to", text(commit_key(LAST_REVISION)))
            .projection_expression("PK, SK");
        let keys = query.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let mut keys = keys.map_err(|error| classify("read the commits of", id.as_str(), error))?;
        keys.push(HashMap::from([
            ("PK".to_owned(), text(execution_key(id))),
            ("SK".to_owned(), text("HEAD")),
        ]));
        for key in keys {
            let delete = self.client.delete_item().table_name(&self.name).set_key(Some(key));
            let deleted = delete.send().await;
            deleted.map_err(|error| classify("remove items of", id.as_str(), error))?;
        }
        // The revisions of the list begin anew, too.
        let Some(start) = self.start(id).await? else { return Ok(()) };
        let line = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("PK", text(pipeline_key(&start.pipeline_name)))
            .key("SK", text(line_key(&start)))
            .condition_expression("attribute_exists(PK)")
            .update_expression("REMOVE Revision");
        match line.send().await {
            Err(error) if !is(&error, "ConditionalCheckFailedException") => {
                Err(classify("list", id.as_str(), error))
            }
            _ => Ok(()),
        }
    }

    async fn put_callback(&self, token: &str, record: &CallbackRecord) -> Result<(), TableError> {
        let item = document(callback_key(token), CALLBACK, record);
        if record.is_unsent {
            return self.put_new(item).await.map(drop);
        }
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        put.send().await.map_err(|error| classify("note", "a callback token", error))?;
        Ok(())
    }

    async fn callback(&self, token: &str) -> Result<Option<CallbackRecord>, TableError> {
        let item = self.get(callback_key(token), CALLBACK).await?;
        item.as_ref().map(body).transpose()
    }

    async fn note_late_report(
        &self,
        id: &ExecutionId,
        late: &LateReport,
    ) -> Result<(), TableError> {
        let item = document(execution_key(id), late_key(late), late);
        self.put_new(item).await.map(drop)
    }

    async fn late(&self, id: &ExecutionId) -> Result<Vec<LateReport>, TableError> {
        let items =
            self.query_beginning(execution_key(id), "D#", "read the late reports of").await?;
        items.iter().map(body).collect()
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
            None => self.pipeline_names().await?,
        };
        let lists = pipelines.iter().map(|name| self.newest_lines(name, limit));
        let lists = futures::future::try_join_all(lists).await?;
        let mut all: Vec<_> = lists.into_iter().flatten().collect();
        all.sort_unstable_by_key(|line| {
            std::cmp::Reverse((line.started_at_ms, line.execution_id.clone()))
        });
        all.truncate(limit);
        Ok(all)
    }

    async fn list_range(
        &self,
        pipeline_name: &PipelineName,
        range: &ListRange,
    ) -> Result<Vec<Summary>, TableError> {
        self.lines_of_range(pipeline_name, range).await
    }
}

impl DynamoTable {
    pub(super) async fn pipeline_names(&self) -> Result<Vec<PipelineName>, TableError> {
        let items = self.query_all("P").await?;
        let name = |item: &Item| {
            PipelineName::parse(string(item, "SK")?)
                .map_err(|error| unreadable(item, &error.to_string()))
        };
        items.iter().map(name).collect()
    }
}

/// Under the token itself: whoever answers has nothing else.
fn callback_key(token: &str) -> String {
    format!("B#{token}")
}

/// By step and attempt: digits enough for every step and for every attempt that `HEAD` can count.
fn late_key(late: &LateReport) -> String {
    format!("D#{:04}#{:06}", late.step.0, late.attempt_count)
}

const CALLBACK: &str = "CALLBACK";

pub(super) fn pipeline_key(name: &PipelineName) -> String {
    format!("P#{name}")
}

fn line_key(start: &Start) -> String {
    place_key(start.started_at_ms, &start.execution_id)
}

/// The line of the list of executions, where it changes.
fn line(start: &Start, execution: &Execution, change: HeadChange<'_>) -> Option<Item> {
    let mut line = HashMap::from([
        ("PK".to_owned(), text(pipeline_key(&start.pipeline_name))),
        ("SK".to_owned(), text(line_key(start))),
        ("Status".to_owned(), text(execution.status.name())),
    ]);
    match change {
        HeadChange::Ongoing => return None,
        HeadChange::TakenUp => {}
        HeadChange::Ended { end, at_ms } => {
            line.insert("EndedAt".to_owned(), number(at_ms));
            line.extend(saved_attributes(execution.saved));
            let reason = end.failure_reason.iter();
            line.extend(reason.map(|why| ("FailureReason".to_owned(), text(why))));
        }
    }
    line.insert("Revision".to_owned(), number(execution.revision));
    Some(line)
}

pub(super) fn status(item: &Item) -> Result<ExecutionStatus, TableError> {
    let name = serde_json::Value::from(string(item, "Status")?);
    serde_json::from_value(name).map_err(|error| unreadable(item, &error.to_string()))
}
