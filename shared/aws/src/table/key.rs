//! The keys of the table's items. Numbers in them have leading zeros, so that items sort by number.

use sidestep_core::cache::key::CacheKey;
use sidestep_core::event::batch::WindowId;
use sidestep_core::execution::commit::Revision;
use sidestep_core::execution::start::Start;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::late_report::LateReport;
use sidestep_engine::ports::executions::TableError;

use super::item::{Item, string, unreadable};

/// The partition that lists the pipelines which were ever started or registered.
pub(super) const PIPELINES: &str = "P";
/// The partition that lists the buckets which have triggers.
pub(super) const BUCKETS: &str = "T";
/// The partition of the open windows.
pub(super) const WINDOWS: &str = "W";

/// The last moment that a key can hold: in the year 33658.
const LAST_MS: u64 = 999_999_999_999_999;

/// Returns the partition of an execution.
pub(super) fn execution_key(id: &ExecutionId) -> String {
    format!("E#{id}")
}

/// Reads the id in an item's [`execution_key`].
pub(super) fn execution_id(item: &Item) -> Result<ExecutionId, TableError> {
    let id = string(item, "PK")?.trim_start_matches("E#");
    ExecutionId::parse(id).map_err(|error| unreadable(item, &error.to_string()))
}

/// Returns a commit's sort key, with eight digits.
pub(super) fn commit_key(revision: Revision) -> String {
    format!("C#{revision:08}")
}

/// Returns a late report's sort key. The digits suffice for every step and for every attempt that
/// `HEAD` can count.
pub(super) fn late_key(late: &LateReport) -> String {
    format!("D#{:04}#{:06}", late.step.0, late.attempt_count)
}

/// Returns the partition of a pipeline.
pub(super) fn pipeline_key(name: &PipelineName) -> String {
    format!("P#{name}")
}

/// Returns the sort key of an execution's entry in the list of its pipeline.
pub(super) fn entry_key(start: &Start) -> String {
    place_key(start.started_at_ms, &start.execution_id)
}

/// Returns the sort key of the list entry at a place.
pub(super) fn place_key(started_at_ms: u64, id: &ExecutionId) -> String {
    format!("{}#{id}", time_key(started_at_ms))
}

/// Returns the beginning of the list entries of one moment: fifteen digits of milliseconds.
pub(super) fn time_key(started_at_ms: u64) -> String {
    format!("X#{:015}", started_at_ms.min(LAST_MS))
}

/// Reads the moment and the id in a [`place_key`].
pub(super) fn place(item: &Item) -> Result<(u64, ExecutionId), TableError> {
    let key = string(item, "SK")?;
    let parts = || {
        let (started_at_ms, id) = key.strip_prefix("X#")?.split_once('#')?;
        Some((started_at_ms.parse().ok()?, ExecutionId::parse(id).ok()?))
    };
    parts().ok_or_else(|| unreadable(item, "the key is not X#TIME#ID"))
}

/// Returns the sort key of a pipeline's version, with ten digits.
pub(super) fn version_key(version_id: u64) -> String {
    format!("V#{version_id:010}")
}

/// Returns the partition of what was answered under an idempotency token.
pub(super) fn answer_key(key: &str) -> String {
    format!("I#{key}")
}

/// Returns the partition of a callback token. It is the token itself, because the system that
/// answers knows nothing else.
pub(super) fn callback_key(token: &str) -> String {
    format!("B#{token}")
}

/// Returns the partition of an invocation's request id.
pub(super) fn request_key(request_id: &str) -> String {
    format!("R#{request_id}")
}

/// Returns the partition of a cache entry.
pub(super) fn cache_key(key: &CacheKey) -> String {
    format!("K#{key}")
}

/// Returns the partition of a bucket's triggers.
pub(super) fn bucket_key(bucket: &str) -> String {
    format!("T#{bucket}")
}

/// Returns the partition of a window's uploads and parts.
pub(super) fn window_key(id: &WindowId) -> String {
    format!("W#{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_sort_by_time_and_keep_fifteen_digits() {
        let id = ExecutionId::parse("abcdefghijkm").expect("an id");
        let keys = [0, 9, 10, LAST_MS].map(|at_ms| place_key(at_ms, &id));
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(time_key(u64::MAX), "X#999999999999999");
    }
}
