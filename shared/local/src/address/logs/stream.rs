//! The streams of a function's group: one for each of its invocations.

use std::fs;
use std::path::Path;

use time::PrimitiveDateTime;

use crate::lambda::{INVOCATIONS, LogKey, TIMESTAMP};

/// Begins the names of functions' groups.
const PREFIX: &str = "/aws/lambda/";

/// An invocation's log.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) name: String,
    /// When the invocation began, in milliseconds since 1970.
    pub(super) at_ms: i64,
    key: LogKey,
}

/// A line of a log.
#[derive(Debug)]
pub(super) struct LogEvent {
    pub(super) at_ms: i64,
    pub(super) message: String,
    /// Its place in the stream.
    pub(super) number: usize,
}

/// Returns the names of all groups, in their order.
pub(super) fn groups(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = files
        .filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            Some(format!("{PREFIX}{}", name.strip_suffix(INVOCATIONS)?))
        })
        .collect();
    found.sort();
    found
}

/// Returns the streams of a group, the oldest first. A group that does not exist has none.
pub(super) fn streams(folder: &Path, group: &str) -> Vec<Stream> {
    let function = group.strip_prefix(PREFIX).filter(|name| !name.contains(['/', '.']));
    let Some(function) = function else { return Vec::new() };
    let text = fs::read_to_string(folder.join(format!("{function}{INVOCATIONS}")));
    text.unwrap_or_default().lines().filter_map(Stream::parse).collect()
}

impl Stream {
    /// Parses a line: the time, the id of the request and the key of its log.
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, '\t');
        let (at, request_id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let day = at.split('T').next()?.replace('-', "/");
        let name = format!("{day}/[$LATEST]{}", request_id.replace('-', ""));
        Some(Self { name, at_ms: milliseconds(at)?, key: LogKey::parse(key).ok()? })
    }

    /// Reads the lines. A log that was removed has none.
    pub(super) fn events(&self, folder: &Path) -> Vec<LogEvent> {
        let text = self.key.read(folder).unwrap_or_default();
        let lines = text.lines().filter_map(|line| {
            let (at, message) = line.split_once('\t')?;
            Some((milliseconds(at)?, message.to_owned()))
        });
        lines
            .enumerate()
            .map(|(number, (at_ms, message))| LogEvent { at_ms, message, number })
            .collect()
    }
}

fn milliseconds(at: &str) -> Option<i64> {
    let at = PrimitiveDateTime::parse(at, TIMESTAMP).ok()?.assume_utc();
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_invocations_of_its_function_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("written");
        };
        write("f.invocations", "2026-01-02T03:04:05.006Z\ta-b\trun/Step/1\nno line\n");
        write(
            "run.log",
            "2026-01-02T03:04:05.007Z\tStep/1\tone\tline\n2026-01-02T03:04:05.008Z\tOther/1\tx\n",
        );
        assert_eq!(groups(folder.path()), ["/aws/lambda/f"]);
        let found = streams(folder.path(), "/aws/lambda/f");
        let [stream] = &found[..] else { panic!("{found:?}") };
        assert_eq!(stream.name, "2026/01/02/[$LATEST]ab");
        let events = stream.events(folder.path());
        let [event] = &events[..] else { panic!("{events:?}") };
        assert_eq!((event.message.as_str(), event.at_ms - stream.at_ms), ("one\tline", 1));
        for group in ["/aws/lambda/g", "/aws/lambda/../f", "f", ""] {
            assert!(streams(folder.path(), group).is_empty(), "{group}");
        }
    }
}
