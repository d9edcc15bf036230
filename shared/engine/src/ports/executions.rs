//! The port to the table: executions as commits under a `HEAD`.

use async_trait::async_trait;
use sidestep_core::execution::commit::{Commit, End, Revision};
use sidestep_core::execution::invocation::RequestRecord;
use sidestep_core::execution::savings::Savings;
use sidestep_core::execution::start::Start;
use sidestep_core::execution::{Execution, ExecutionStatus};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::CallbackRecord;
use sidestep_core::plan::late_report::LateReport;

use crate::ports::source::BoxError;

/// A failure of the table, in words that fit every store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A stored item cannot be read: damaged, or written by a newer version.
    #[error("item `{item}` cannot be read: {problem}")]
    Unreadable { item: String, problem: String },
    /// Any other failure, as the store says it. `retryable` is the adapter's judgement.
    #[error("could not {operation} `{item}`")]
    Unavailable { operation: &'static str, item: String, retryable: bool, source: BoxError },
}

impl TableError {
    /// Returns true if the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable { retryable: true, .. })
    }
}

/// How the creation of an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Creation {
    New,
    /// An execution with this id exists, and this is its start.
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
    /// It had ended and is resumed.
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
    /// Known once it has ended.
    pub saved: Savings,
}

/// The position of an execution in the list of its pipeline.
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
    /// The line that was listed last. It may be gone by now.
    pub after: Option<Place>,
    pub limit: usize,
}

/// Executions. Every method may be repeated without harm.
#[async_trait]
pub trait ExecutionStore: Send + Sync + std::fmt::Debug {
    /// Writes the start of an execution and its empty `HEAD`, unless an execution with this id
    /// exists.
    ///
    /// After a crash half-way, a second call completes the rest.
    async fn create(&self, start: &Start, step_count: usize) -> Result<Creation, TableError>;

    /// Returns an execution's start.
    async fn start(&self, id: &ExecutionId) -> Result<Option<Start>, TableError>;

    /// Returns the folded state, which may lag behind the last commit, after a crash or while one
    /// process advances the execution with the state in hand ([`sidestep_core::plan::head`]).
    /// Strongly consistent.
    async fn head(&self, id: &ExecutionId) -> Result<Option<Execution>, TableError>;

    /// Returns the commits at these revisions, in order. A missing one is left out. Strongly
    /// consistent.
    async fn commits(&self, id: &ExecutionId, of: &[Revision]) -> Result<Vec<Commit>, TableError>;

    /// Returns the commits after a revision, in order. Strongly consistent.
    async fn commits_after(
        &self,
        id: &ExecutionId,
        revision: Revision,
    ) -> Result<Vec<Commit>, TableError>;

    /// Returns all commits, in order.
    async fn all_commits(&self, id: &ExecutionId) -> Result<Vec<Commit>, TableError>;

    /// Creates the commit at its revision. This is the commit point: of any number of calls for one
    /// revision, exactly one wins.
    async fn commit(&self, id: &ExecutionId, commit: &Commit) -> Result<Committed, TableError>;

    /// Brings `HEAD` up to `execution`, unless it is further already.
    ///
    /// When the execution ends or is resumed, this also writes the list of executions and the index
    /// of live ones.
    async fn advance_head(
        &self,
        start: &Start,
        execution: &Execution,
        change: HeadChange<'_>,
    ) -> Result<(), TableError>;

    /// Notes that an execution that ended with `HEAD` at `revision` is to be resumed, and counts it
    /// among the live ones. Returns `false` if `HEAD` is elsewhere by now.
    ///
    /// If the caller dies before its commit, or right after it, the sweep goes on.
    async fn ask_retry(&self, id: &ExecutionId, revision: Revision) -> Result<bool, TableError>;

    /// Returns true if [`ExecutionStore::ask_retry`] noted a retry and `HEAD` has not moved since.
    /// Strongly consistent.
    async fn is_retry_asked(&self, id: &ExecutionId) -> Result<bool, TableError>;

    /// Removes `HEAD` and the commits after a revision, the last one first, for a repair, which
    /// makes them again. A store that keeps nothing beyond its process refuses.
    async fn forget(&self, id: &ExecutionId, after: Revision) -> Result<(), TableError>;

    /// Notes what a callback token stands for. Twice with the same record is fine.
    ///
    /// An unsent record never replaces an existing one, since a planner that lost its commit may be
    /// slow.
    async fn put_callback(&self, token: &str, record: &CallbackRecord) -> Result<(), TableError>;

    /// Returns what a callback token stands for.
    async fn callback(&self, token: &str) -> Result<Option<CallbackRecord>, TableError>;

    /// Records which attempt the request id of an invocation stands for. Twice is fine.
    ///
    /// Never: the attempt's result is not known as such, and its lease lapses.
    async fn put_request(&self, request_id: &str, record: &RequestRecord)
    -> Result<(), TableError>;

    /// Returns which attempt a request id stands for. Strongly consistent.
    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>, TableError>;

    /// Notes a report that arrived after its attempt was given up, once for each attempt.
    async fn note_late_report(&self, id: &ExecutionId, late: &LateReport)
    -> Result<(), TableError>;

    /// Returns the late reports, by step and attempt.
    async fn late(&self, id: &ExecutionId) -> Result<Vec<LateReport>, TableError>;

    /// Returns the executions that have not ended or are to be resumed, oldest first. May lag by a
    /// second.
    async fn live(&self) -> Result<Vec<ExecutionId>, TableError>;

    /// Returns at most `limit` executions of one pipeline or of all, newest first.
    async fn list(
        &self,
        pipeline_name: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<Summary>, TableError>;

    /// Returns a part of the list of a pipeline's executions. A store with a sorted list reads no
    /// more than that.
    async fn list_range(
        &self,
        pipeline_name: &PipelineName,
        range: &ListRange,
    ) -> Result<Vec<Summary>, TableError>;
}
