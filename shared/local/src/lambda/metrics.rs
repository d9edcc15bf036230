//! Counters of what the host did, for tests and benchmarks.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use sidestep_core::name::FunctionName;

use super::limits::REMEMBERED;

/// What a host did since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests of the Lambda API by operation (`Invoke`, `GetFunction`...), in Rust or over HTTP.
    ///
    /// Refused requests count, too.
    pub operations: BTreeMap<&'static str, u64>,
    /// Attempts that were started, by function.
    pub invocations: BTreeMap<FunctionName, u64>,
    /// Attempts that failed, by error type. Types beyond the first 10,000 are not told apart.
    pub errors: BTreeMap<String, u64>,
    /// Requests that were refused because of a concurrency limit or a full queue.
    pub throttles: u64,
    pub environments_started: u64,
    /// Attempts that found an idle environment.
    pub warm_starts: u64,
    /// Records that could not be handed to their destination.
    pub destination_delivery_failures: u64,
    /// Visits that were one too many for a chain of requests.
    pub recursive_invocations_dropped: u64,
    /// The times from spawning a process to its first `next`; the latest 10,000.
    pub init_durations: VecDeque<Duration>,
}

/// What a host is doing at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Attempts that run.
    pub running: usize,
    /// Events that wait for a place.
    pub queued: usize,
    /// Environments that have a process, busy or idle.
    pub environments: usize,
}

/// The counters of a host, which its tasks update.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<Counts>);

impl Metrics {
    /// Changes the counters.
    pub(super) fn update(&self, update: impl FnOnce(&mut Counts)) {
        update(&mut self.0.lock());
    }

    /// Counts a request of the API.
    pub(super) fn operation(&self, name: &'static str) {
        self.update(|counts| *counts.operations.entry(name).or_default() += 1);
    }

    /// Counts a failed attempt.
    pub(super) fn error(&self, error_type: &str) {
        self.update(|counts| {
            let is_known = counts.errors.contains_key(error_type);
            let name =
                if is_known || counts.errors.len() < REMEMBERED { error_type } else { "other" };
            *counts.errors.entry(name.to_owned()).or_default() += 1;
        });
    }

    /// Adds the time that an environment took to its first `next`.
    pub(super) fn init(&self, duration: Duration) {
        self.update(|counts| {
            if counts.init_durations.len() == REMEMBERED {
                counts.init_durations.pop_front();
            }
            counts.init_durations.push_back(duration);
        });
    }

    /// Returns a copy of the counters.
    pub(super) fn counts(&self) -> Counts {
        self.0.lock().clone()
    }
}
