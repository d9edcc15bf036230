//! Executions in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use sidestep_core::execution::commit::{Commit, Revision};
use sidestep_core::execution::invocation::RequestRecord;
use sidestep_core::execution::savings::Savings;
use sidestep_core::execution::start::Start;
use sidestep_core::execution::{Execution, ExecutionStatus};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::CallbackRecord;
use sidestep_core::plan::late_report::LateReport;
use sidestep_engine::ports::executions::{
    Committed, Creation, ExecutionStore, HeadChange, ListRange, Summary, TableError,
};

/// Executions as items of a table. Starts and commits are created once, and a `HEAD` only moves
/// forward.
#[derive(Debug, Default)]
pub struct MemoryTable {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<ExecutionId, Record>,
    callbacks: BTreeMap<String, CallbackRecord>,
    requests: BTreeMap<String, RequestRecord>,
}

#[derive(Debug)]
struct Record {
    start: Start,
    head: Execution,
    is_live: bool,
    /// The revision at which a retry was asked for.
    asked_at: Option<Revision>,
    line: Summary,
    /// The revision that the line describes.
    listed: Revision,
    commits: BTreeMap<Revision, Commit>,
    /// By step and attempt.
    late: BTreeMap<(usize, u32), LateReport>,
}

impl MemoryTable {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[async_trait]
impl ExecutionStore for MemoryTable {
    async fn create(&self, start: &Start, step_count: usize) -> Result<Creation, TableError> {
        let mut state = self.lock();
        if let Some(record) = state.records.get(&start.execution_id) {
            return Ok(Creation::Exists(Box::new(record.start.clone())));
        }
        let line = Summary {
            execution_id: start.execution_id.clone(),
            pipeline_name: start.pipeline_name.clone(),
            started_at_ms: start.started_at_ms,
            status: ExecutionStatus::Executing,
            ended_at_ms: None,
            failure_reason: None,
            saved: Savings::default(),
        };
        let record = Record {
            start: start.clone(),
            head: Execution::new(step_count),
            is_live: true,
            asked_at: None,
            line,
            listed: 0,
            commits: BTreeMap::new(),
            late: BTreeMap::new(),
        };
        state.records.insert(start.execution_id.clone(), record);
        Ok(Creation::New)
    }

    async fn start(&self, id: &ExecutionId) -> Result<Option<Start>, TableError> {
        Ok(self.lock().records.get(id).map(|record| record.start.clone()))
    }

    async fn head(&self, id: &ExecutionId) -> Result<Option<Execution>, TableError> {
        Ok(self.lock().records.get(id).map(|record| record.head.clone()))
    }

    async fn commits(&self, id: &ExecutionId, of: &[Revision]) -> Result<Vec<Commit>, TableError> {
        let mut of = of.to_vec();
        of.sort_unstable();
        of.dedup();
        let state = self.lock();
        let Some(record) = state.records.get(id) else { return Ok(Vec::new()) };
        Ok(of.iter().filter_map(|revision| record.commits.get(revision).cloned()).collect())
    }

    async fn commits_after(
        &self,
        id: &ExecutionId,
        revision: Revision,
    ) -> Result<Vec<Commit>, TableError> {
        let state = self.lock();
        let Some(record) = state.records.get(id) else { return Ok(Vec::new()) };
        Ok(record.commits.range(revision + 1..).map(|(_, commit)| commit.clone()).collect())
    }

    async fn all_commits(&self, id: &ExecutionId) -> Result<Vec<Commit>, TableError> {
        let state = self.lock();
        let commits = state.records.get(id).map(|record| record.commits.values().cloned());
        Ok(commits.map(Iterator::collect).unwrap_or_default())
    }

    async fn commit(&self, id: &ExecutionId, commit: &Commit) -> Result<Committed, TableError> {
        let mut state = self.lock();
        let record = state.records.get_mut(id).ok_or_else(|| missing(id))?;
        match record.commits.get(&commit.revision) {
            None => {
                record.commits.insert(commit.revision, commit.clone());
                Ok(Committed::Won)
            }
            Some(existing) if existing == commit => Ok(Committed::Won),
            Some(existing) => Ok(Committed::Lost(Box::new(existing.clone()))),
        }
    }

    async fn advance_head(
        &self,
        start: &Start,
        execution: &Execution,
        change: HeadChange<'_>,
    ) -> Result<(), TableError> {
        let id = &start.execution_id;
        let mut state = self.lock();
        let record = state.records.get_mut(id).ok_or_else(|| missing(id))?;
        if record.head.revision < execution.revision {
            record.head = execution.clone();
            match change {
                HeadChange::Ongoing => {}
                HeadChange::Ended { .. } => record.is_live = false,
                HeadChange::TakenUp => record.is_live = true,
            }
        }
        if record.listed >= execution.revision {
            return Ok(());
        }
        let line = &mut record.line;
        match change {
            HeadChange::Ongoing => return Ok(()),
            HeadChange::TakenUp => {
                line.status = execution.status;
                (line.ended_at_ms, line.failure_reason) = (None, None);
                line.saved = Savings::default();
            }
            HeadChange::Ended { end, at_ms } => {
                line.status = execution.status;
                line.ended_at_ms = Some(at_ms);
                line.failure_reason.clone_from(&end.failure_reason);
                line.saved = execution.saved;
            }
        }
        record.listed = execution.revision;
        Ok(())
    }

    async fn ask_retry(&self, id: &ExecutionId, revision: Revision) -> Result<bool, TableError> {
        let mut state = self.lock();
        let record = state.records.get_mut(id).ok_or_else(|| missing(id))?;
        let is_there = record.head.revision == revision;
        if is_there {
            (record.is_live, record.asked_at) = (true, Some(revision));
        }
        Ok(is_there)
    }

    async fn is_retry_asked(&self, id: &ExecutionId) -> Result<bool, TableError> {
        let state = self.lock();
        let record = state.records.get(id).ok_or_else(|| missing(id))?;
        Ok(record.asked_at == Some(record.head.revision))
    }

    async fn forget(&self, id: &ExecutionId, after: Revision) -> Result<(), TableError> {
        let source = format!("nothing after revision {after} can be damaged here").into();
        let item = id.to_string();
        Err(TableError::Unavailable { operation: "repair", item, retryable: false, source })
    }

    async fn put_callback(&self, token: &str, record: &CallbackRecord) -> Result<(), TableError> {
        let mut state = self.lock();
        if !record.is_unsent || !state.callbacks.contains_key(token) {
            state.callbacks.insert(token.to_owned(), record.clone());
        }
        Ok(())
    }

    async fn callback(&self, token: &str) -> Result<Option<CallbackRecord>, TableError> {
        Ok(self.lock().callbacks.get(token).cloned())
    }

    async fn put_request(
        &self,
        request_id: &str,
        record: &RequestRecord,
    ) -> Result<(), TableError> {
        self.lock().requests.insert(request_id.to_owned(), record.clone());
        Ok(())
    }

    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>, TableError> {
        Ok(self.lock().requests.get(request_id).cloned())
    }

    async fn note_late_report(
        &self,
        id: &ExecutionId,
        late: &LateReport,
    ) -> Result<(), TableError> {
        let mut state = self.lock();
        let record = state.records.get_mut(id).ok_or_else(|| missing(id))?;
        let key = (late.step.0, late.attempt_count);
        record.late.entry(key).or_insert_with(|| late.clone());
        Ok(())
    }

    async fn late(&self, id: &ExecutionId) -> Result<Vec<LateReport>, TableError> {
        let state = self.lock();
        let late = state.records.get(id).map(|record| record.late.values().cloned().collect());
        Ok(late.unwrap_or_default())
    }

    async fn live(&self) -> Result<Vec<ExecutionId>, TableError> {
        let state = self.lock();
        let starts =
            state.records.values().filter(|record| record.is_live).map(|record| &record.start);
        let mut live: Vec<_> =
            starts.map(|start| (start.started_at_ms, &start.execution_id)).collect();
        live.sort_unstable();
        Ok(live.into_iter().map(|(_, id)| id.clone()).collect())
    }

    async fn list(
        &self,
        pipeline_name: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<Summary>, TableError> {
        let state = self.lock();
        let lines = state.records.values().map(|record| &record.line);
        let wanted = |line: &&Summary| pipeline_name.is_none_or(|name| line.pipeline_name == *name);
        let mut lines: Vec<_> = lines.filter(wanted).cloned().collect();
        lines.sort_unstable_by_key(|line| {
            std::cmp::Reverse((line.started_at_ms, line.execution_id.clone()))
        });
        lines.truncate(limit);
        Ok(lines)
    }

    async fn list_range(
        &self,
        pipeline_name: &PipelineName,
        range: &ListRange,
    ) -> Result<Vec<Summary>, TableError> {
        let mut lines = self.list(Some(pipeline_name), usize::MAX).await?;
        lines.sort_unstable_by_key(Summary::place);
        if range.newest_first {
            lines.reverse();
        }
        lines.retain(|line| {
            let is_left = range.after.as_ref().is_none_or(|after| {
                if range.newest_first { line.place() < *after } else { line.place() > *after }
            });
            is_left && range.started_at_ms.contains(&line.started_at_ms)
        });
        lines.truncate(range.limit);
        Ok(lines)
    }
}

fn missing(id: &ExecutionId) -> TableError {
    TableError::Unreadable { item: id.to_string(), problem: "it does not exist".to_owned() }
}
