//! A cached result as the commands show it.

use std::time::Duration;

use sidestep_core::cache::key::CacheKey;
use sidestep_core::execution::commit::CacheEntry;
use sidestep_core::parse::duration::parse_expire_after;

/// How many digits of a key are shown; 48 bits tell the entries of any deployment apart.
const KEY_DIGITS: usize = 12;

/// Returns the pipeline whose execution made the entry, from the execution's ARN.
pub(super) fn pipeline(entry: &CacheEntry) -> &str {
    let arn = &entry.source.pipeline_execution_arn;
    let rest = arn.split_once(":pipeline/").map_or(arn.as_str(), |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

pub(super) fn short(key: &CacheKey) -> &str {
    &key.as_str()[..KEY_DIGITS]
}

pub(super) fn bytes(entry: &CacheEntry) -> u64 {
    entry.produced.artifacts.iter().map(|artifact| artifact.bytes).sum()
}

/// Returns bytes as text: `512 B`, `1.5 KB`, `20.3 MB`.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)];
    match units.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

pub(super) fn age(text: &str) -> Result<Duration, String> {
    let error = |error| format!("{error}; expected {}", sidestep_core::parse::duration::ALLOWED);
    parse_expire_after(text).map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_the_unit_that_fits() {
        for (bytes, text) in [(0, "0 B"), (999, "999 B"), (1_550, "1.5 KB"), (2_000_000, "2.0 MB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
