//! The part of a log that says why an attempt failed.

/// How many lines are shown with a failure.
const SHOWN: usize = 12;

/// How many of them are the first lines of a long error.
const HEAD: usize = 3;

/// What a host writes into a log by itself.
const BOILERPLATE: [&str; 5] =
    ["START RequestId:", "END RequestId:", "REPORT RequestId:", "INIT_", "XRAY "];

/// The beginnings of an error: of Python's runtime client, of Python itself, and of Rust.
const ERRORS: [&str; 3] = ["[ERROR]", "Traceback (most recent call last)", "thread '"];

/// The lines to show with a failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FailureLog<'a> {
    pub(crate) lines: Vec<&'a str>,
    /// True if there is more that the function wrote.
    pub(crate) has_more: bool,
}

/// Returns the error that a function logged, or else the last lines that it wrote.
pub(crate) fn failure_log(log: &str) -> FailureLog<'_> {
    let messages = log.lines().map(|line| line.split_once('\t').map_or(line, |(_, rest)| rest));
    let is_own = |line: &&str| !BOILERPLATE.iter().any(|lead| line.starts_with(lead));
    let own: Vec<&str> = messages.filter(is_own).collect();
    let is_error = |line: &&str| ERRORS.iter().any(|lead| line.starts_with(lead));
    let last = own.iter().rposition(&is_error);
    // `[ERROR]` stands above the traceback that belongs to it.
    let error = last.map(|last| last - usize::from(last > 0 && is_error(&own[last - 1])));
    let begin = error.unwrap_or_else(|| own.len().saturating_sub(SHOWN));
    let block = &own[begin..];
    let has_more = begin > 0 || block.len() > SHOWN;
    if block.len() <= SHOWN {
        return FailureLog { lines: block.to_vec(), has_more };
    }
    let tail = &block[block.len() - (SHOWN - HEAD - 1)..];
    FailureLog { lines: [&block[..HEAD], &["..."], tail].concat(), has_more }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_shown_and_what_the_host_writes_is_not() {
        let log = "t\tSTART RequestId: 1\nt\tworking\nt\t[ERROR] ValueError: bad\nt\tTraceback (most recent call last):\nt\t  File \"h.py\"\nt\tEND RequestId: 1\nt\tREPORT RequestId: 1\tDuration: 7 ms";
        let found = failure_log(log);
        let lines =
            ["[ERROR] ValueError: bad", "Traceback (most recent call last):", "  File \"h.py\""];
        assert_eq!(found, FailureLog { lines: lines.to_vec(), has_more: true });

        let plain = failure_log("t\tSTART RequestId: 1\nt\tone\nt\ttwo\nt\tEND RequestId: 1");
        assert_eq!(plain, FailureLog { lines: vec!["one", "two"], has_more: false });
        assert_eq!(failure_log("").lines, Vec::<&str>::new());
    }

    #[test]
    fn of_a_long_error_both_ends_are_shown() {
        let frames: Vec<_> = (0..40).map(|frame| format!("t\t  frame {frame}")).collect();
        let log = format!("t\tTraceback (most recent call last):\n{}", frames.join("\n"));
        let found = failure_log(&log);
        assert_eq!((found.lines.len(), found.has_more), (SHOWN, true));
        assert_eq!((found.lines[0], found.lines[3]), ("Traceback (most recent call last):", "..."));
        assert_eq!(found.lines.last(), Some(&"  frame 39"));
    }
}
