//! Executions in the table: the port, put together from starts, commits, `HEAD` and the list.

use async_trait::async_trait;
use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::{Commit, Revision};
use sidestep_core::execution::invocation::RequestRecord;
use sidestep_core::execution::start::Start;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::CallbackRecord;
use sidestep_core::plan::late_report::LateReport;
use sidestep_engine::ports::executions::{
    Committed, Creation, ExecutionStore, HeadChange, ListRange, Summary, TableError,
};

use super::DynamoTable;
use super::error::classify;
use super::head::HEAD;
use super::item::{EXPIRES_AT, body, document, keyed, number};
use super::key::{PIPELINES, callback_key, execution_key, late_key, request_key};

const START: &str = "START";
const CALLBACK: &str = "CALLBACK";
const REQUEST: &str = "REQUEST";

#[async_trait]
impl ExecutionStore for DynamoTable {
    async fn create(&self, start: &Start, step_count: usize) -> Result<Creation, TableError> {
        let item = document(execution_key(&start.execution_id), START, start);
        let existing: Option<Start> = self.put_new(item).await?.as_ref().map(body).transpose()?;
        // The first start counts, also for the items that a crash kept from being written.
        let first = existing.as_ref().unwrap_or(start);
        let execution = Execution::new(step_count);
        futures::try_join!(
            self.create_head(first, &execution),
            self.create_entry(first, &execution),
            self.put_new(keyed(PIPELINES, first.pipeline_name.as_str())),
        )?;
        Ok(existing.map_or(Creation::New, |start| Creation::Exists(Box::new(start))))
    }

    async fn start(&self, id: &ExecutionId) -> Result<Option<Start>, TableError> {
        let item = self.get(execution_key(id), START).await?;
        item.as_ref().map(body).transpose()
    }

    async fn head(&self, id: &ExecutionId) -> Result<Option<Execution>, TableError> {
        self.read_head(id).await
    }

    async fn commits(&self, id: &ExecutionId, of: &[Revision]) -> Result<Vec<Commit>, TableError> {
        self.commits_at(id, of).await
    }

    async fn commits_after(
        &self,
        id: &ExecutionId,
        revision: Revision,
    ) -> Result<Vec<Commit>, TableError> {
        self.commits_beyond(id, revision).await
    }

    async fn all_commits(&self, id: &ExecutionId) -> Result<Vec<Commit>, TableError> {
        let items = self.query_beginning(execution_key(id), "C#", "read the commits of").await?;
        items.iter().map(body).collect()
    }

    async fn commit(&self, id: &ExecutionId, commit: &Commit) -> Result<Committed, TableError> {
        self.create_commit(id, commit).await
    }

    async fn advance_head(
        &self,
        start: &Start,
        execution: &Execution,
        change: HeadChange<'_>,
    ) -> Result<(), TableError> {
        // The list entry goes before `HEAD`: after a crash in between, `HEAD` still says
        // *executing*, so the sweep catches up and writes this entry again.
        self.write_entry(start, execution, change).await?;
        self.write_head(&start.execution_id, execution, change).await
    }

    async fn ask_retry(&self, id: &ExecutionId, revision: Revision) -> Result<bool, TableError> {
        self.record_retry(id, revision).await
    }

    async fn is_retry_asked(&self, id: &ExecutionId) -> Result<bool, TableError> {
        self.is_retry_recorded(id).await
    }

    async fn forget(&self, id: &ExecutionId, after: Revision) -> Result<(), TableError> {
        let mut keys = self.commit_keys_beyond(id, after).await?;
        keys.push(keyed(execution_key(id), HEAD));
        for key in keys {
            let delete = self.client.delete_item().table_name(&self.name).set_key(Some(key));
            let deleted = delete.send().await;
            deleted.map_err(|error| classify("remove items of", id.as_str(), error))?;
        }
        match self.start(id).await? {
            // The list counts revisions too, and they begin again.
            Some(start) => self.reset_entry(&start).await,
            None => Ok(()),
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

    async fn put_request(
        &self,
        request_id: &str,
        record: &RequestRecord,
    ) -> Result<(), TableError> {
        let mut item = document(request_key(request_id), REQUEST, record);
        item.insert(EXPIRES_AT.to_owned(), number(record.expires_at));
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        put.send().await.map_err(|error| classify("record", "a request id", error))?;
        Ok(())
    }

    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>, TableError> {
        let item = self.get(request_key(request_id), REQUEST).await?;
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
        self.live_executions().await
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
        let lists = pipelines.iter().map(|name| self.newest_entries(name, limit));
        let mut all = futures::future::try_join_all(lists).await?.concat();
        all.sort_unstable_by_key(|entry| {
            std::cmp::Reverse((entry.started_at_ms, entry.execution_id.clone()))
        });
        all.truncate(limit);
        Ok(all)
    }

    async fn list_range(
        &self,
        pipeline_name: &PipelineName,
        range: &ListRange,
    ) -> Result<Vec<Summary>, TableError> {
        self.entries_in(pipeline_name, range).await
    }
}
