//! The port to the table: executions as commits under a `HEAD`, and the cache index.

use async_trait::async_trait;
use sidestep_core::cache_key::CacheKey;
use sidestep_core::commit::{CacheEntry, Commit, End, Revision};
use sidestep_core::execution::{Execution, ExecutionStatus};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::start::Start;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

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

/// A line of the list of executions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub execution_id: ExecutionId,
    pub pipeline_name: PipelineName,
    pub started_at_ms: u64,
    pub status: ExecutionStatus,
    pub ended_at_ms: Option<u64>,
    pub failure_reason: Option<String>,
}

/// Executions. Every method may be repeated without harm.
#[async_trait]
pub trait ExecutionStore: Send + Sync + std::fmt::Debug {
    /// Writes the start of an execution and its empty `HEAD`, unless an execution of this id exists.
    ///
    /// A repeat after a crash half-way completes what is missing.
    async fn create(&self, start: &Start, step_count: usize) -> Result<Creation, TableError>;

    async fn start(&self, id: &ExecutionId) -> Result<Option<Start>, TableError>;

    /// The folded state, which may lag behind the last commit after a crash. Strongly consistent.
    async fn head(&self, id: &ExecutionId) -> Result<Option<Execution>, TableError>;

    /// The commits at these revisions, in order; one that does not exist is left out. Strongly consistent.
    async fn commits(&self, id: &ExecutionId, of: &[Revision]) -> Result<Vec<Commit>, TableError>;

    /// All commits, in order.
    async fn all_commits(&self, id: &ExecutionId) -> Result<Vec<Commit>, TableError>;

    /// Creates the commit at its revision. This is the commit point: of any number of calls for one revision, one wins.
    async fn commit(&self, id: &ExecutionId, commit: &Commit) -> Result<Committed, TableError>;

    /// Brings `HEAD` up to `execution`, unless it is further already. With `end`, also the list of executions.
    async fn advance_head(
        &self,
        start: &Start,
        execution: &Execution,
        end: Option<(&End, u64)>,
    ) -> Result<(), TableError>;

    /// Executions that are not over, oldest first. May lag by a second.
    async fn live(&self) -> Result<Vec<ExecutionId>, TableError>;

    /// Executions, newest first, at most `limit`; of one pipeline or of all.
    async fn list(
        &self,
        pipeline_name: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<Summary>, TableError>;
}

/// The cache index, shared by all executions of a deployment.
#[async_trait]
pub trait CacheIndex: Send + Sync + std::fmt::Debug {
    /// The entries under these keys; a key without an entry is left out.
    async fn entries(&self, keys: &[CacheKey]) -> Result<Vec<CacheEntry>, TableError>;

    /// Writes an entry and returns the one that it replaced: with other digests, the step is not deterministic.
    async fn publish(&self, entry: &CacheEntry) -> Result<Option<CacheEntry>, TableError>;
}
