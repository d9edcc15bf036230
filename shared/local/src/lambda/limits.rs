//! All bounds of the Lambda host, each with its source.
//!
//! "Quota" is <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.

use std::time::Duration;

/// How often the host measures the memory of a process that works.
pub(super) const MEMORY_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The largest payload of a synchronous invocation, in bytes (quota).
pub const REQUEST_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// The largest payload of an asynchronous invocation, in bytes (quota, 1 MB since October 2025).
pub const EVENT_PAYLOAD_BYTES: usize = 1024 * 1024;

/// The largest record of an invocation that is queued here: the largest event, and a failure.
pub(super) const RECORD_PAYLOAD_BYTES: usize = EVENT_PAYLOAD_BYTES + 64 * 1024;

/// The largest response of a function: 6 MB and 100 bytes, as the Runtime API enforces it.
pub const RESPONSE_PAYLOAD_BYTES: usize = 6 * 1024 * 1024 + 100;

/// The most that is read of a body over its limit before it is refused.
///
/// Past this many bytes the connection is cut.
pub(super) const DRAINED_BODY_BYTES: usize = 256 * 1024 * 1024;

/// The longest timeout of a function (quota).
pub(super) const MAX_TIMEOUT: Duration = Duration::from_mins(15);

/// How often an asynchronous invocation can be tried again (quota).
pub(super) const MAX_RETRY_ATTEMPTS: u32 = 2;

/// How often one chain of requests may visit one function; the next visit is dropped.
///
/// Lambda says "approximately 16"
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>).
pub(super) const RECURSION_VISITS: u32 = 16;

/// The size of the events that wait in memory, payloads and bookkeeping together.
///
/// Past it `Event` is throttled.
pub(super) const QUEUED_BYTES: usize = 256 * 1024 * 1024;

/// The bookkeeping of one queued event, counted beside its payload.
pub(super) const QUEUED_EVENT_OVERHEAD_BYTES: usize = 1024;

/// The concurrency of an in-process handler that sets none: Lambda's default for a whole account.
pub(super) const IN_PROCESS_CONCURRENCY: usize = 1000;

/// The longest line of a log (the size of a CloudWatch Logs event). A longer one is split.
pub(super) const LOG_LINE_BYTES: usize = 256 * 1024;

/// The part of an invocation's log that `X-Amz-Log-Result` carries: the last 4 KB.
pub(super) const LOG_TAIL_BYTES: usize = 4 * 1024;

/// The longest log key, in bytes.
pub(super) const LOG_KEY_BYTES: usize = 512;

/// How many lines a slow follower may lag behind before it misses some.
pub(super) const LIVE_LOG_LINES: usize = 4096;

/// How many requests can be found by id alone, and how many start times are kept.
pub(super) const REMEMBERED: usize = 10_000;
