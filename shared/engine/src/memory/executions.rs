//! What this process knows of executions without asking: starts and commits never change, and where it is the only planner, nor does a
//! state behind its back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use sidestep_core::definition::StepIndex;
use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::{AttemptResult, Commit, Revision};
use sidestep_core::name::ExecutionId;

/// Commits kept in memory; the oldest makes room.
const KEPT_COMMITS: usize = 512;
/// States kept in memory; the smallest id makes room.
const KEPT_HEADS: usize = 1_024;

/// A bounded memory of commits, and of states.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    commits: Mutex<Commits>,
    heads: Mutex<BTreeMap<ExecutionId, Execution>>,
    /// Whether states are kept at all.
    is_alone: bool,
}

#[derive(Debug, Default)]
struct Commits {
    known: BTreeMap<(ExecutionId, Revision), Arc<Commit>>,
    /// In the order in which they came.
    order: VecDeque<(ExecutionId, Revision)>,
}

impl Recent {
    pub(crate) fn alone() -> Self {
        Self { is_alone: true, ..Self::default() }
    }

    /// Whether this process is the only planner.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone
    }

    pub(crate) fn keep_commit(&self, id: &ExecutionId, commit: &Commit) {
        let key = (id.clone(), commit.revision);
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        if commits.known.insert(key.clone(), Arc::new(commit.clone())).is_none() {
            commits.order.push_back(key);
        }
        if commits.order.len() > KEPT_COMMITS
            && let Some(oldest) = commits.order.pop_front()
        {
            commits.known.remove(&oldest);
        }
    }

    pub(crate) fn commit(&self, id: &ExecutionId, revision: Revision) -> Option<Arc<Commit>> {
        let commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        commits.known.get(&(id.clone(), revision)).cloned()
    }

    /// Whether it is remembered that this attempt succeeded.
    pub(crate) fn has_succeeded(&self, id: &ExecutionId, step: StepIndex, attempt: u32) -> bool {
        let commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = commits.known.range((id.clone(), 0)..=(id.clone(), Revision::MAX));
        known.any(|(_, commit)| {
            let completion = commit.completion(step);
            completion.is_some_and(|completion| {
                completion.attempt_count == attempt
                    && matches!(completion.result, AttemptResult::Succeeded(_))
            })
        })
    }

    /// Notes where an execution stands; one that is over is forgotten.
    pub(crate) fn keep_head(&self, id: &ExecutionId, execution: &Execution) {
        if !self.is_alone {
            return;
        }
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if execution.status.is_over() {
            heads.remove(id);
            return;
        }
        if heads.len() >= KEPT_HEADS && !heads.contains_key(id) {
            heads.pop_first();
        }
        heads.insert(id.clone(), execution.clone());
    }

    pub(crate) fn head(&self, id: &ExecutionId) -> Option<Execution> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(crate) fn forget_head(&self, id: &ExecutionId) {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}
