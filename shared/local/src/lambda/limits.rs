//! Every bound of the Lambda host in one place, with where it comes from.
//!
//! "Quota" is <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.

use std::time::Duration;

/// How often the memory of a process that works is looked at.
pub(super) const MEMORY_LOOK: Duration = Duration::from_millis(100);

/// Largest payload of a synchronous invocation, in bytes (quota).
pub const REQUEST_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// Largest payload of an asynchronous invocation, in bytes (quota, 1 MB since October 2025).
pub const EVENT_PAYLOAD_BYTES: usize = 1024 * 1024;

/// Largest record of an invocation that is queued here: the largest event, and a failure beside it.
pub(super) const RECORD_PAYLOAD_BYTES: usize = EVENT_PAYLOAD_BYTES + 64 * 1024;

/// Largest response of a function, in bytes: 6 MB and 100 bytes, as the Runtime API enforces it.
pub const RESPONSE_PAYLOAD_BYTES: usize = 6 * 1024 * 1024 + 100;

/// A body over its limit is read to its end before it is refused; past this many bytes the connection is cut.
pub(super) const DRAINED_BODY_BYTES: usize = 256 * 1024 * 1024;

/// Longest function name (quota of the API's pattern).
pub(super) const FUNCTION_NAME_CHARS: usize = 64;

/// Longest timeout of a function (quota).
pub(super) const MAX_TIMEOUT: Duration = Duration::from_mins(15);

/// Most retries of an asynchronous invocation (quota).
pub(super) const MAX_RETRY_ATTEMPTS: u32 = 2;

/// Visits of one function by one chain of requests after which the next one is dropped; "approximately 16"
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>).
pub(super) const RECURSION_VISITS: u32 = 16;

/// Events that wait in memory, payloads and bookkeeping together; past it `Event` is throttled.
pub(super) const QUEUED_BYTES: usize = 256 * 1024 * 1024;

/// What one queued event is counted as beside its payload.
pub(super) const QUEUED_EVENT_OVERHEAD_BYTES: usize = 1024;

/// Concurrency of an in-process handler that names none: Lambda's default for a whole account.
pub(super) const IN_PROCESS_CONCURRENCY: usize = 1000;

/// A line longer than this is split (the size of a CloudWatch Logs event).
pub(super) const LOG_LINE_BYTES: usize = 256 * 1024;

/// What `X-Amz-Log-Result` carries: the last 4 KB of an invocation's log.
pub(super) const LOG_TAIL_BYTES: usize = 4 * 1024;

/// Longest log key, in bytes.
pub(super) const LOG_KEY_BYTES: usize = 512;

/// Lines a slow follower may lag behind before it misses some.
pub(super) const LIVE_LOG_LINES: usize = 4096;

/// Requests whose log can still be found by request id alone, and start times that are kept.
pub(super) const REMEMBERED: usize = 10_000;
