//! What the ports and the handlers note down for the check at the end.

use std::collections::{BTreeMap, BTreeSet};

use sidestep_core::execution::invocation::AttemptName;
use sidestep_core::name::ExecutionId;

use super::pipeline::number;

/// A renewal that is older than this when a planner commits was there when the planner looked.
const SEEN_MS: u64 = 130_000;

/// A lease that a running handler renews.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) since_ms: u64,
    pub(crate) until_ms: u64,
}

impl Held {
    /// Returns true if a planner that gives up the attempt at `now_ms` must have seen the renewal.
    pub(crate) fn holds(self, now_ms: u64) -> bool {
        self.since_ms + SEEN_MS < now_ms && now_ms < self.until_ms
    }
}

/// Notes for the check at the end.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// When each key was first published.
    pub(crate) published_ms: BTreeMap<String, u64>,
    /// When each commit was created.
    pub(crate) committed_ms: BTreeMap<(ExecutionId, u32), u64>,
    /// Steps whose attempts met a fault that may fail them.
    pub(crate) harmed: BTreeSet<(ExecutionId, usize)>,
    /// Artifacts that were removed.
    pub(crate) is_artifact_lost: bool,
    /// Attempts with `ExactlyOnceStart` that began.
    pub(crate) begun: BTreeSet<(ExecutionId, usize, u32)>,
    /// Attempts that renew their leases in time.
    pub(crate) held: BTreeMap<(ExecutionId, usize, u32), Held>,
    pub(crate) invocations: u64,
}

impl Notes {
    /// Notes that a fault may fail the step of an attempt.
    pub(crate) fn harm(&mut self, attempt: &AttemptName) {
        let step = number(attempt.step_name.as_str());
        self.harmed.insert((attempt.execution_id.clone(), step));
    }
}
