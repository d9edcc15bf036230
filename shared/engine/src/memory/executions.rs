//! Caches what this process has read of executions.
//!
//! Starts and commits are immutable, so they never go stale. States can, unless this process is the
//! only planner; only then are they kept.

use std::sync::Arc;

use sidestep_core::definition::StepIndex;
use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::{AttemptResult, Commit, Revision};
use sidestep_core::execution::past::PastExecution;
use sidestep_core::execution::start::Start;
use sidestep_core::name::ExecutionId;

use crate::memory::cache::BoundedCache;

const KEPT_STARTS: usize = 256;
const KEPT_COMMITS: usize = 512;
const KEPT_HEADS: usize = 1_024;
/// Finished executions are read whole, so few are kept.
const KEPT_PAST: usize = 32;

/// A bounded memory of starts, commits, states and finished executions.
#[derive(Debug)]
pub(crate) struct ExecutionMemory {
    starts: BoundedCache<ExecutionId, Arc<Start>>,
    commits: BoundedCache<(ExecutionId, Revision), Arc<Commit>>,
    past: BoundedCache<ExecutionId, Arc<PastExecution>>,
    /// `None` if other planners may change a state.
    heads: Option<BoundedCache<ExecutionId, Execution>>,
}

impl ExecutionMemory {
    pub(crate) fn new(is_sole_planner: bool) -> Self {
        Self {
            starts: BoundedCache::new(KEPT_STARTS),
            commits: BoundedCache::new(KEPT_COMMITS),
            past: BoundedCache::new(KEPT_PAST),
            heads: is_sole_planner.then(|| BoundedCache::new(KEPT_HEADS)),
        }
    }

    /// Returns true if this process is the only planner, so that states are kept.
    pub(crate) fn keeps_heads(&self) -> bool {
        self.heads.is_some()
    }

    pub(crate) fn start(&self, id: &ExecutionId) -> Option<Arc<Start>> {
        self.starts.get(id)
    }

    pub(crate) fn keep_start(&self, start: &Arc<Start>) {
        self.starts.insert(start.execution_id.clone(), Arc::clone(start));
    }

    pub(crate) fn commit(&self, id: &ExecutionId, revision: Revision) -> Option<Arc<Commit>> {
        self.commits.get(&(id.clone(), revision))
    }

    pub(crate) fn keep_commit(&self, id: &ExecutionId, commit: &Commit) {
        self.commits.insert((id.clone(), commit.revision), Arc::new(commit.clone()));
    }

    /// Returns true if a remembered commit says that this attempt succeeded.
    pub(crate) fn has_succeeded(&self, id: &ExecutionId, step: StepIndex, attempt: u32) -> bool {
        let is_success = |commit: &Commit| {
            commit.completion(step).is_some_and(|completion| {
                completion.attempt_count == attempt
                    && matches!(completion.result, AttemptResult::Succeeded(_))
            })
        };
        self.commits.any(|(of, _), commit| of == id && is_success(commit))
    }

    /// Returns a finished execution, read whole.
    pub(crate) fn past(&self, id: &ExecutionId) -> Option<Arc<PastExecution>> {
        self.past.get(id)
    }

    /// Keeps an execution that was read whole, if it has ended and thus never changes.
    pub(crate) fn keep_past(&self, id: &ExecutionId, past: &Arc<PastExecution>) {
        if past.execution.status.is_over() {
            self.past.insert(id.clone(), Arc::clone(past));
        }
    }

    pub(crate) fn head(&self, id: &ExecutionId) -> Option<Execution> {
        self.heads.as_ref()?.get(id)
    }

    /// Keeps a state, or forgets it once the execution has ended.
    pub(crate) fn keep_head(&self, id: &ExecutionId, execution: &Execution) {
        let Some(heads) = &self.heads else { return };
        if execution.status.is_over() {
            heads.remove(id);
        } else {
            heads.insert(id.clone(), execution.clone());
        }
    }

    pub(crate) fn forget_head(&self, id: &ExecutionId) {
        if let Some(heads) = &self.heads {
            heads.remove(id);
        }
    }
}
