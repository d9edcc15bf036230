//! When processes of this machine drove an execution, in a file of the state folder.
//!
//! The owner of the folder records each second which executions it drives. A later owner sees from
//! that how long no process drove one, and durations leave that time out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sidestep_core::name::ExecutionId;

/// File of the state folder.
const FILE: &str = "driven.json";

/// How often the owner records what it drives.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

/// A time without a record that says nothing yet: a record may be late on a busy machine.
const SLACK_MS: u64 = 3_000;

/// When one execution was driven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Drive {
    /// The time of the last record.
    until_ms: u64,
    /// Times in which no process drove it, each from and to.
    gaps: Vec<(u64, u64)>,
}

/// When executions were driven. One that ended without a gap is not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Drives(BTreeMap<ExecutionId, Drive>);

impl Drives {
    /// Reads what owners of the folder have recorded. Without a readable file nothing is known, and
    /// durations count all the time.
    pub(crate) fn read(state: &Path) -> Self {
        let text = fs::read(state.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Returns how long no process drove an execution between two times.
    pub(crate) fn undriven_ms(&self, id: &ExecutionId, from_ms: u64, to_ms: u64) -> u64 {
        let Some(drive) = self.0.get(id) else { return 0 };
        let rest = (drive.until_ms, u64::MAX);
        let is_open = drive.until_ms.saturating_add(SLACK_MS) < to_ms;
        let gaps = drive.gaps.iter().copied().chain(is_open.then_some(rest));
        gaps.map(|(from, to)| to.min(to_ms).saturating_sub(from.max(from_ms))).sum()
    }

    /// Records that a process begins to drive an execution.
    fn take(&mut self, id: &ExecutionId, now_ms: u64) {
        let drive = self.0.entry(id.clone()).or_insert(Drive { until_ms: now_ms, gaps: vec![] });
        if drive.until_ms.saturating_add(SLACK_MS) < now_ms {
            drive.gaps.push((drive.until_ms, now_ms));
        }
        drive.until_ms = now_ms;
    }

    /// Records that a process drives an execution.
    fn beat(&mut self, id: &ExecutionId, now_ms: u64) {
        if let Some(drive) = self.0.get_mut(id) {
            drive.until_ms = now_ms;
        }
    }

    /// Records that an execution has ended.
    fn end(&mut self, id: &ExecutionId, now_ms: u64) {
        self.beat(id, now_ms);
        if self.0.get(id).is_some_and(|drive| drive.gaps.is_empty()) {
            self.0.remove(id);
        }
    }
}

/// The records of the process that owns the folder.
#[derive(Debug)]
pub(crate) struct Beats {
    state: PathBuf,
    drives: Drives,
    driven: BTreeSet<ExecutionId>,
}

impl Beats {
    /// Begins without any execution.
    pub(crate) fn new(state: &Path) -> Self {
        Self { state: state.to_owned(), drives: Drives::read(state), driven: BTreeSet::new() }
    }

    /// Records that this process drives these executions and no others.
    pub(crate) fn note(&mut self, driven: &BTreeSet<ExecutionId>) {
        let now_ms = now_ms();
        for id in driven {
            if self.driven.contains(id) {
                self.drives.beat(id, now_ms);
            } else {
                self.drives.take(id, now_ms);
            }
        }
        for ended in self.driven.difference(driven) {
            self.drives.end(ended, now_ms);
        }
        if !driven.is_empty() || !self.driven.is_empty() {
            self.write();
        }
        self.driven.clone_from(driven);
    }

    /// Writes the records. If that fails, durations count too much, which is not worth a failure.
    fn write(&self) {
        let (path, temporary) = (self.state.join(FILE), self.state.join(format!("{FILE}.new")));
        let text = serde_json::to_vec(&self.drives).unwrap_or_default();
        let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = written {
            tracing::debug!(%error, "could not record which executions are driven");
        }
    }
}

/// Returns the time in milliseconds since 1970.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_leaves_out_the_time_in_which_no_process_drove() {
        let id = ExecutionId::parse("abcdefghijkl").unwrap();
        let other = ExecutionId::parse("bbcdefghijkl").unwrap();
        let mut drives = Drives::default();
        drives.take(&id, 1_000);
        drives.beat(&id, 5_000);
        // Driven from 1 s to 5 s and from 20 s on; killed at 22 s.
        drives.take(&id, 20_000);
        drives.beat(&id, 22_000);
        for (from, to, expected) in [
            (0, 5_000, 0),
            (0, 10_000, 5_000),
            (0, 21_000, 15_000),
            (6_000, 7_000, 1_000),
            (21_000, 22_000, 0),
            // A late record is no gap, a missing one is.
            (21_000, 24_000, 0),
            (21_000, 60_000, 38_000),
            (0, 60_000, 53_000),
        ] {
            assert_eq!(drives.undriven_ms(&id, from, to), expected, "{from} to {to}");
            assert_eq!(drives.undriven_ms(&other, from, to), 0);
        }
        drives.end(&id, 60_000);
        assert_eq!(drives.undriven_ms(&id, 0, 60_000), 15_000, "a gap outlives the end");
        drives.take(&other, 1_000);
        drives.end(&other, 2_000);
        assert_eq!(drives.undriven_ms(&other, 0, 90_000), 0);
    }
}
