//! The port to the table: executions as commits under a `HEAD`.

use async_trait::async_trait;
use sidestep_core::execution::commit::{Commit, End, Revision};
use sidestep_core::execution::savings::Savings;
use sidestep_core::execution::start::Start;
use sidestep_core::execution::{Execution, ExecutionStatus};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::CallbackRecord;
use sidestep_core::plan::late_report::LateReport;

use crate::ports::source::BoxError;

/// A failure of the table, in words that hold for every store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A stored item cannot be read: damaged, or written by a newer version.
    #[error("item `{item}` cannot be read: {problem}")]
    Unreadable { item: String, problem: String },
    /// Anything this store alone can say. `retryable` is the adapter's judgement.
    #[error("could not {operation} `{item}`")]
    Unavailable { operation: &'static str, item: String, retryable: bool, source: BoxError },
}

impl TableError {
    /// Whether the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable { retryable: true, .. })
    }
}

/// How the creation of an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Creation {
    New,
    /// There is one of this id already, started with this.
    Exists(Box<Start>),
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Committed {
    Won,
    /// Another planner was first; this is its commit at the same revision.
    Lost(Box<Commit>),
}

/// What a commit means for an execution as a whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HeadChange<'a> {
    Ongoing,
    Ended {
        end: &'a End,
        at_ms: u64,
    },
    /// It was over and is taken up again.
    TakenUp,
}

/// A line of the list of executions.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub execution_id: ExecutionId,
    pub pipeline_name: PipelineName,
    pub started_at_ms: u64,
    pub status: ExecutionStatus,
    pub ended_at_ms: Option<u64>,
    pub failure_reason: Option<String>,
    /// Known when it is over.
    pub saved: Savings,
}

/// Where an execution stands in the list of its pipeline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub started_at_ms: u64,
    pub execution_id: ExecutionId,
}

impl Summary {
    pub fn place(&self) -> Place {
        Place { started_at_ms: self.started_at_ms, execution_id: self.execution_id.clone() }
    }
}

/// A part of the list of a pipeline's executions, by when they were started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRange {
    /// Milliseconds since 1970, both included.
    pub started_at_ms: std::ops::RangeInclusive<u64>,
    pub newest_first: bool,
    /// The line that was listed last; it may be gone by now.
    pub after: Option<Place>,
    pub limit: usize,
}

/// Executions. Every method may be repeated without harm.
#[async_trait]
pub trait ExecutionStore: Send + Sync + std::fmt::Debug {
    /// Writes the start of an execution and its empty `HEAD`, unless an execution of this id exists.
    ///
    /// A repeat after a crash half-way completes what is missing.
    async fn create(&self, start: &Start, step_count: usize) -> Result<Creation, TableError>;

    async fn start(&self, id: &ExecutionId) -> Result<Option<Start>, TableError>;

    /// The folded state, which may lag behind the last commit: by a crash, or because whoever went on had the state in hand
    /// ([`sidestep_core::plan::head`]). Strongly consistent.
    async fn head(&self, id: &ExecutionId) -> Result<Option<Execution>, TableError>;

    /// The commits at these revisions, in order; one that does not exist is left out. Strongly consistent.
    async fn commits(&self, id: &ExecutionId, of: &[Revision]) -> Result<Vec<Commit>, TableError>;

    /// The commits after a revision, in order. Strongly consistent.
    async fn commits_after(
        &self,
        id: &ExecutionId,
        revision: Revision,
    ) -> Result<Vec<Commit>, TableError>;

    /// All commits, in order.
    async fn all_commits(&self, id: &ExecutionId) -> Result<Vec<Commit>, TableError>;

    /// Creates the commit at its revision. This is the commit point: of any number of calls for one revision, one wins.
    async fn commit(&self, id: &ExecutionId, commit: &Commit) -> Result<Committed, TableError>;

    /// Brings `HEAD` up to `execution`, unless it is further already. At its end and when it is taken up again, also the list of
    /// executions and the index of live ones.
    async fn advance_head(
        &self,
        start: &Start,
        execution: &Execution,
        change: HeadChange<'_>,
    ) -> Result<(), TableError>;

    /// Notes that an execution whose `HEAD` is at `revision` and over is to be taken up again, and counts it among the live ones: should
    /// the caller die before its commit, or right after it, the sweep goes on. `false`: `HEAD` is not there any more.
    async fn ask_retry(&self, id: &ExecutionId, revision: Revision) -> Result<bool, TableError>;

    /// Whether [`ExecutionStore::ask_retry`] noted something, and `HEAD` has not moved since. Strongly consistent.
    async fn is_retry_asked(&self, id: &ExecutionId) -> Result<bool, TableError>;

    /// Removes `HEAD` and the commits after a revision, the last first: for a repair, which makes them anew. A store that keeps nothing
    /// beyond its process refuses.
    async fn forget(&self, id: &ExecutionId, after: Revision) -> Result<(), TableError> {
        let source = format!("nothing after revision {after} can be damaged here").into();
        let item = id.to_string();
        Err(TableError::Unavailable { operation: "repair", item, retryable: false, source })
    }

    /// Notes what a callback token stands for. Twice with the same record is fine. One that is unsent never replaces one that is there: a
    /// planner that lost its commit may be slow.
    async fn put_callback(&self, token: &str, record: &CallbackRecord) -> Result<(), TableError>;

    async fn callback(&self, token: &str) -> Result<Option<CallbackRecord>, TableError>;

    /// Notes a report that came after its attempt was given up, once for each attempt.
    async fn note_late_report(&self, id: &ExecutionId, late: &LateReport)
    -> Result<(), TableError>;

    /// What [`ExecutionStore::note_late_report`] noted, by step and attempt.
    async fn late(&self, id: &ExecutionId) -> Result<Vec<LateReport>, TableError>;

    /// Executions that are not over, or are to be taken up again, oldest first. May lag by a second.
    async fn live(&self) -> Result<Vec<ExecutionId>, TableError>;

    /// Executions, newest first, at most `limit`; of one pipeline or of all.
    async fn list(
        &self,
        pipeline_name: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<Summary>, TableError>;

    /// A part of the list of a pipeline's executions. A store that has it sorted reads no more than that.
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
