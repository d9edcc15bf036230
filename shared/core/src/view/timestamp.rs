//! The form in which times are shown.

use time::OffsetDateTime;
use time::macros::format_description;

/// Formats milliseconds since 1970 as `2026-11-23T08:57:00.123Z`.
pub fn timestamp(at_ms: u64) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000)
        .ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_default()
}
