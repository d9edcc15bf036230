//! Logs: the lines of each invocation, a tail for the caller, and a live feed.
//!
//! An invocation is named by a [`LogKey`], so that a caller can find its lines without asking: `FUNCTION/REQUEST_ID`, or what its own
//! closure makes of the payload. The key's first segment is a file, which all invocations below it share: to create a file costs more than
//! a short invocation. A line there is the time it was read, as CloudWatch Logs shows it, the rest of the key, and the text, with tabs between.
//!
//! An invocation may write so much; then one line says so and the rest is dropped, while the pipe is still
//! emptied, so that a chatty function neither blocks nor fills the disk. A file that cannot be written costs
//! its lines, never the invocation.

use std::{
    collections::VecDeque,
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use tokio::sync::broadcast;

use super::{
    error::HostError,
    function::FunctionName,
    invocation::Invocation,
    limits::{LIVE_LOG_LINES, LOG_KEY_BYTES, LOG_LINE_BYTES, LOG_TAIL_BYTES, REMEMBERED},
    options::LogKeyFn,
};

/// The timestamps of Lambda: UTC with milliseconds.
pub(super) const TIMESTAMP: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// What an invocation's lines are found by: the file below the log folder, without its suffix `.log`, and their name in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogKey(Arc<str>);

impl LogKey {
    /// Checks a relative path: segments of letters, digits, `.`, `_` and `-`, joined by `/`, up to 512 bytes.
    /// A segment that starts with a dot is refused, so a key never leaves the log folder. There are two segments at least.
    pub fn parse(key: &str) -> Result<Self, HostError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_segment = |segment: &str| {
            !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_allowed)
        };
        if key.len() > LOG_KEY_BYTES || !key.contains('/') || !key.split('/').all(is_segment) {
            return Err(HostError::InvalidLogKey { key: key.to_owned() });
        }
        Ok(Self(key.into()))
    }

    /// The key of a request for which the caller's closure gives none.
    pub fn for_request(function: &FunctionName, request_id: &str) -> Self {
        Self(format!("{function}/{request_id}").into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its file without the suffix, and its own name there.
    fn parts(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or((&self.0, ""))
    }

    /// Where its lines are in a log folder, or will be.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.log", self.parts().0))
    }

    /// Reads its lines in a log folder. Bytes that are not UTF-8 were replaced when they were written.
    pub fn read(&self, folder: &Path) -> io::Result<String> {
        let own = self.parts().1;
        let mut text = String::new();
        for line in fs::read_to_string(self.path(folder))?.lines() {
            if let Some((at, message)) = own_line(line, own) {
                text.extend([at, "\t", message, "\n"]);
            }
        }
        if text.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("no log of `{self}`")));
        }
        Ok(text)
    }
}

/// The time and the text of a line, if it is `own`.
fn own_line<'a>(line: &'a str, own: &str) -> Option<(&'a str, &'a str)> {
    let mut parts = line.splitn(3, '\t');
    let (at, name, message) = (parts.next()?, parts.next()?, parts.next()?);
    (name == own).then_some((at, message))
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A line of an invocation's log, as followers get it.
#[derive(Debug, Clone)]
pub struct LogLine {
    pub function: FunctionName,
    pub request_id: Arc<str>,
    pub key: LogKey,
    pub at: OffsetDateTime,
    pub message: String,
}

/// The log folder and what is common to all logs of a host.
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

    pub(super) fn follow(&self) -> broadcast::Receiver<LogLine> {
        self.live.subscribe()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the key of a recent request.
    pub(super) fn key(&self, request_id: &str) -> Option<LogKey> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().rev().find(|(id, _)| &**id == request_id).map(|(_, key)| key.clone())
    }

    pub(super) fn open(self: &Arc<Self>, invocation: &Arc<Invocation>) -> InvocationLog {
        let name = &invocation.function.config.name;
        let key = self
            .key_of
            .as_ref()
            .and_then(|key_of| key_of(name, &invocation.payload))
            .unwrap_or_else(|| LogKey::for_request(name, &invocation.request_id));
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back((invocation.request_id.clone(), key.clone()));
        drop(recent);
        InvocationLog {
            logs: self.clone(),
            invocation: invocation.clone(),
            key,
            unwritten: String::new(),
            is_lost: false,
            written: 0,
            is_truncated: false,
            partial: Vec::new(),
            tail: Vec::new(),
        }
    }
}

/// The log of one invocation, open while its environment works on it.
pub(super) struct InvocationLog {
    logs: Arc<Logs>,
    invocation: Arc<Invocation>,
    key: LogKey,
    /// Lines that go to the file together: those of other invocations are not to stand among the words of one.
    unwritten: String,
    is_lost: bool,
    written: u64,
    is_truncated: bool,
    /// What the process wrote since its last line break.
    partial: Vec<u8>,
    tail: Vec<u8>,
}

impl fmt::Debug for InvocationLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvocationLog").field("key", &self.key).finish_non_exhaustive()
    }
}

impl InvocationLog {
    /// Takes what the process printed. Lines end at `\n`, and at `\r` too, with which progress bars and
    /// `awslambdaric` break theirs.
    pub(super) fn output(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.is_truncated {
                break;
            }
            self.partial.extend_from_slice(part);
            if part.ends_with(b"\n") || self.partial.len() >= LOG_LINE_BYTES {
                self.end_line();
            }
        }
        self.flush();
    }

    /// Ends a line that the process left open, because its invocation is over.
    pub(super) fn end_line(&mut self) {
        let partial = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&partial);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if partial.is_empty() {
            return;
        }
        for line in text.split('\r') {
            if self.written + line.len() as u64 > self.logs.bytes_per_invocation {
                self.is_truncated = true;
                let limit = self.logs.bytes_per_invocation;
                self.line(&format!("[log truncated: over {limit} bytes, the rest is dropped]"));
                return;
            }
            self.written += line.len() as u64 + 1;
            self.line(line);
        }
    }

    /// Takes a line of the platform's own, whatever the invocation has used of its space. It is written with the next output or at the end.
    pub(super) fn platform(&mut self, line: &str) {
        self.line(line);
    }

    /// The last 4 KB, from the start of a line.
    pub(super) fn tail(&self) -> String {
        let surplus = self.tail.len().saturating_sub(LOG_TAIL_BYTES);
        let kept = &self.tail[surplus..];
        let first_line = match kept.iter().position(|byte| *byte == b'\n') {
            Some(end) if surplus > 0 => end + 1,
            _ => 0,
        };
        String::from_utf8_lossy(&kept[first_line..]).into_owned()
    }

    fn line(&mut self, message: &str) {
        let at = OffsetDateTime::now_utc();
        self.tail.extend_from_slice(message.as_bytes());
        self.tail.push(b'\n');
        let surplus = self.tail.len().saturating_sub(LOG_TAIL_BYTES);
        if surplus > LOG_TAIL_BYTES {
            self.tail.drain(..surplus);
        }
        let timestamp = at.format(TIMESTAMP).unwrap_or_default();
        self.unwritten.extend([&timestamp, "\t", self.key.parts().1, "\t", message, "\n"]);
        if self.logs.live.receiver_count() > 0 {
            // Fails only when the last follower just left.
            let _ = self.logs.live.send(LogLine {
                function: self.invocation.function.config.name.clone(),
                request_id: self.invocation.request_id.clone(),
                key: self.key.clone(),
                at,
                message: message.to_owned(),
            });
        }
    }

    /// Writes the lines that wait, by one call, which appends them as one piece.
    pub(super) fn flush(&mut self) {
        let lines = std::mem::take(&mut self.unwritten);
        if self.is_lost || lines.is_empty() {
            return;
        }
        let file =
            fs::OpenOptions::new().create(true).append(true).open(self.key.path(&self.logs.folder));
        if let Err(error) = file.and_then(|mut file| file.write_all(lines.as_bytes())) {
            tracing::warn!(key = %self.key, %error, "the rest of this log is lost");
            self.is_lost = true;
        }
    }
}

impl Drop for InvocationLog {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_below_the_log_folder() {
        for key in ["a/1", "flights/01H/train/1", "a.b-c_d/9"] {
            assert!(LogKey::parse(key).is_ok(), "{key}");
        }
        let too_long = "a".repeat(LOG_KEY_BYTES + 1);
        for key in
            ["", "a", "/a", "a/", "a//b", "..", "a/../b", ".hidden", "a b", "ä", "a\\b", &too_long]
        {
            assert!(LogKey::parse(key).is_err(), "{key}");
        }
    }
}
