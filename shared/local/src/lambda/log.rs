//! The logs of a host: one folder of files, and a live feed of lines.
//!
//! Each invocation is named by a [`LogKey`](super::LogKey), so that a caller can find its lines
//! without asking. Invocations whose keys share the first segment share a file, because creating a
//! file costs more than a short invocation. A line of the file is the time at which it was read (as
//! CloudWatch Logs shows it), the rest of the key, and the text, separated by tabs.

use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use sidestep_core::name::FunctionName;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::sync::broadcast;

use super::error::HostError;
use super::invocation::Invocation;
use super::limits::{LIVE_LOG_LINES, REMEMBERED};
use super::log_key::{LogKey, LogKeyFn};

/// The timestamps of Lambda: UTC with milliseconds.
pub(crate) const TIMESTAMP: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Ends the names of the files that say which invocations a function had: one a line.
pub(crate) const INVOCATIONS: &str = ".invocations";

/// A line of an invocation's log, as followers get it.
#[derive(Debug, Clone)]
pub struct LogLine {
    pub function: FunctionName,
    pub request_id: Arc<str>,
    pub key: LogKey,
    pub at: OffsetDateTime,
    pub message: String,
}

/// The log folder, the live feed, and the keys of recent requests.
pub(super) struct Logs {
    folder: PathBuf,
    bytes_per_invocation: u64,
    key_of: Option<LogKeyFn>,
    live: broadcast::Sender<LogLine>,
    recent: Mutex<VecDeque<(Arc<str>, LogKey)>>,
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Logs {
    /// Creates the log folder, if it is missing.
    pub(super) fn new(
        folder: PathBuf,
        bytes_per_invocation: u64,
        key_of: Option<LogKeyFn>,
    ) -> Result<Self, HostError> {
        fs::create_dir_all(&folder).map_err(|source| HostError::LogFolder {
            path: folder.display().to_string(),
            source,
        })?;
        let (live, _) = broadcast::channel(LIVE_LOG_LINES);
        Ok(Self { folder, bytes_per_invocation, key_of, live, recent: Mutex::default() })
    }

    /// Returns the lines of all invocations from now on.
    pub(super) fn follow(&self) -> broadcast::Receiver<LogLine> {
        self.live.subscribe()
    }

    /// Sends a line to the followers, if there are any.
    pub(super) fn publish(&self, line: impl FnOnce() -> LogLine) {
        if self.live.receiver_count() > 0 {
            // Fails only when the last follower just left.
            let _ = self.live.send(line());
        }
    }

    /// Returns the log folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns how many bytes one invocation may write.
    pub(super) fn bytes_per_invocation(&self) -> u64 {
        self.bytes_per_invocation
    }

    /// Returns the key of a recent request.
    pub(super) fn key(&self, request_id: &str) -> Option<LogKey> {
        let recent = self.recent.lock();
        recent.iter().rev().find(|(id, _)| &**id == request_id).map(|(_, key)| key.clone())
    }

    /// Names the log of an invocation: by its attempt, by the caller's closure, or else by its
    /// request.
    pub(super) fn name(&self, invocation: &Invocation) -> LogKey {
        let function = &invocation.function.config.name;
        let attempt = invocation.attempt.as_deref();
        if let Some(key) = attempt.and_then(|attempt| LogKey::parse(attempt).ok()) {
            return key;
        }
        let chosen = self.key_of.as_ref().and_then(|key_of| key_of(function, &invocation.payload));
        chosen.unwrap_or_else(|| LogKey::for_request(function, &invocation.request_id))
    }

    /// Keeps the key of a request, so that the log can be found by the request's id, and by the
    /// function.
    pub(super) fn remember(&self, invocation: &Invocation, key: &LogKey) {
        let (function, request_id) = (&invocation.function.config.name, &invocation.request_id);
        let at = OffsetDateTime::now_utc().format(TIMESTAMP).unwrap_or_default();
        let path = self.folder.join(format!("{function}{INVOCATIONS}"));
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        let line = format!("{at}\t{request_id}\t{key}\n");
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            tracing::warn!(%key, %error, "this log is not found by its function");
        }
        let mut recent = self.recent.lock();
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back((request_id.clone(), key.clone()));
    }
}
