//! Names of logs: where the lines of an invocation are found.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sidestep_core::name::FunctionName;

use super::limits::LOG_KEY_BYTES;

/// The name of one invocation's log, such as `FUNCTION/REQUEST_ID`.
///
/// The first segment names a file below the log folder, without its suffix `.log`; the rest marks
/// the invocation's lines in that file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogKey(Arc<str>);

/// Names an invocation's log by its function and payload; `None` selects the default name.
pub type LogKeyFn = Arc<dyn Fn(&FunctionName, &[u8]) -> Option<LogKey> + Send + Sync>;

/// A text that cannot name a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid log key `{key}`: expected segments of letters, digits, `.`, `_` and `-`, joined by `/`"
)]
pub struct InvalidLogKey {
    pub key: String,
}

impl LogKey {
    /// Parses a relative path of at least two segments, up to 512 bytes.
    ///
    /// Segments hold letters, digits, `.`, `_` and `-`, and none may start with a dot: so a key
    /// never leaves the log folder.
    pub fn parse(key: &str) -> Result<Self, InvalidLogKey> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_segment = |segment: &str| {
            !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_allowed)
        };
        if key.len() > LOG_KEY_BYTES || !key.contains('/') || !key.split('/').all(is_segment) {
            return Err(InvalidLogKey { key: key.to_owned() });
        }
        Ok(Self(key.into()))
    }

    /// Returns the default key of a request: `FUNCTION/REQUEST_ID`.
    pub fn for_request(function: &FunctionName, request_id: &str) -> Self {
        Self(format!("{function}/{request_id}").into())
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of the file, without its suffix.
    fn file_name(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(file_name, _)| file_name)
    }

    /// Returns the mark of the key's lines in the file.
    pub(super) fn line_name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, line_name)| line_name)
    }

    /// Returns the path of the file below `folder`, whether or not it exists yet.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.log", self.file_name()))
    }

    /// Reads the key's lines from its file below `folder`, without the mark.
    ///
    /// Bytes that are not UTF-8 were replaced when they were written.
    pub fn read(&self, folder: &Path) -> io::Result<String> {
        let mut text = String::new();
        for line in fs::read_to_string(self.path(folder))?.lines() {
            if let Some((at, message)) = parse_line(line, self.line_name()) {
                text.extend([at, "\t", message, "\n"]);
            }
        }
        if text.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("no log of `{self}`")));
        }
        Ok(text)
    }
}

/// Returns the time and the message of a line, if it is marked with `line_name`.
fn parse_line<'a>(line: &'a str, line_name: &str) -> Option<(&'a str, &'a str)> {
    let mut parts = line.splitn(3, '\t');
    let (at, name, message) = (parts.next()?, parts.next()?, parts.next()?);
    (name == line_name).then_some((at, message))
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
        let too_long = format!("a/{}", "a".repeat(LOG_KEY_BYTES));
        for key in
            ["", "a", "/a", "a/", "a//b", "..", "a/../b", ".hidden", "a b", "ä", "a\\b", &too_long]
        {
            assert!(LogKey::parse(key).is_err(), "{key}");
        }
    }
}
