//! The log of one invocation: what its process prints, and the platform's own lines.
//!
//! An invocation may write so many bytes and no more. Then one line says so and the rest is
//! dropped, while the pipe is still emptied: a chatty function neither blocks nor fills the disk. A
//! file that cannot be written costs its lines, never the invocation.

use std::fmt;
use std::fs;
use std::io::Write;
use std::sync::Arc;

use time::OffsetDateTime;

use super::invocation::Invocation;
use super::limits::{LOG_LINE_BYTES, LOG_TAIL_BYTES};
use super::log::{LogLine, Logs, TIMESTAMP};
use super::log_key::LogKey;

/// The log of one invocation, open while its environment works on it.
pub(super) struct InvocationLog {
    logs: Arc<Logs>,
    invocation: Arc<Invocation>,
    key: LogKey,
    /// Lines that are not in the file yet.
    ///
    /// They are written together, so that no line of another invocation comes between them.
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
    /// Opens the log of an invocation. The file is created with the first line.
    pub(super) fn open(logs: &Arc<Logs>, invocation: &Arc<Invocation>) -> Self {
        let key = logs.name(invocation);
        logs.remember(invocation, &key);
        Self {
            logs: logs.clone(),
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

    /// Returns the key under which the log is found.
    pub(super) fn key(&self) -> &LogKey {
        &self.key
    }

    /// Takes what the process printed.
    ///
    /// Lines end at `\n`, and also at `\r`, with which progress bars and `awslambdaric` break
    /// theirs.
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

    /// Ends a line that the process left open.
    pub(super) fn end_line(&mut self) {
        if self.partial.is_empty() {
            return;
        }
        let partial = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&partial);
        let without_break = text.strip_suffix('\n').unwrap_or(&text);
        let limit = self.logs.bytes_per_invocation();
        for line in without_break.strip_suffix('\r').unwrap_or(without_break).split('\r') {
            if self.written + line.len() as u64 > limit {
                self.is_truncated = true;
                self.line(&format!("[log truncated: over {limit} bytes, the rest is dropped]"));
                return;
            }
            self.written += line.len() as u64 + 1;
            self.line(line);
        }
    }

    /// Takes a line of the platform's own, which does not count against the invocation's bytes.
    ///
    /// It is written to the file with the next output or at the end.
    pub(super) fn platform(&mut self, line: &str) {
        self.line(line);
    }

    /// Returns the last 4 KB, from the start of a line.
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
        // Cut only when another tail's worth has gathered: not at every line.
        let surplus = self.tail.len().saturating_sub(LOG_TAIL_BYTES);
        if surplus > LOG_TAIL_BYTES {
            self.tail.drain(..surplus);
        }
        let timestamp = at.format(TIMESTAMP).unwrap_or_default();
        self.unwritten.extend([&timestamp, "\t", self.key.line_name(), "\t", message, "\n"]);
        self.logs.publish(|| LogLine {
            function: self.invocation.function.config.name.clone(),
            request_id: self.invocation.request_id.clone(),
            key: self.key.clone(),
            at,
            message: message.to_owned(),
        });
    }

    /// Writes the lines that wait in one call, so that they are appended as one piece.
    pub(super) fn flush(&mut self) {
        let lines = std::mem::take(&mut self.unwritten);
        if self.is_lost || lines.is_empty() {
            return;
        }
        let path = self.key.path(self.logs.folder());
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
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
