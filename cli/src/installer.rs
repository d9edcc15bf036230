//! Runs a tool that installs something: shows that it works, and keeps what it says if it fails.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::error::{CommandError, OrError as _};

/// How many of a failed tool's last lines are shown.
const LAST_LINES: usize = 16;

/// Words by which tools say that they could not reach a package index or a repository.
const NETWORK: [&str; 18] = [
    "failed to establish a new connection",
    "connection refused",
    "connection reset",
    "connection error",
    "connectionerror",
    "connect timeout",
    "read timed out",
    "timed out",
    "name or service not known",
    "temporary failure in name resolution",
    "could not resolve host",
    "network is unreachable",
    "dns error",
    "error sending request",
    "failed to connect",
    "tls handshake",
    "econnrefused",
    "enotfound",
];

/// Why a tool failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The tool's own last words.
    pub(crate) words: String,
    /// True if the tool could not reach another machine.
    pub(crate) is_network: bool,
}

impl Failure {
    /// Makes the failure of a tool that said `words`.
    fn new(words: String) -> Self {
        let lower = words.to_lowercase();
        let is_network = NETWORK.iter().any(|word| lower.contains(word));
        Self { words, is_network }
    }

    /// Returns the error with a message in front of the tool's words.
    pub(crate) fn error(self, message: impl Into<String>) -> CommandError {
        let failed: Result<(), String> = Err(self.words);
        let message = || message.into();
        let error =
            if self.is_network { failed.or_service(message) } else { failed.or_user(message) };
        error.expect_err("it failed")
    }
}

/// Runs a tool to its end. On a terminal a line shows what it is doing.
pub(crate) fn run(command: &mut Command, doing: &str) -> Result<(), Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let start = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = start.map_err(|error| Failure::new(format!("`{program}`: {error}")))?;
    let bar = ProgressBar::new_spinner().with_message(doing.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    let (lines, said) = mpsc::channel();
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as _),
        child.stderr.take().map(|pipe| Box::new(pipe) as _),
    ];
    for (place, pipe) in pipes.into_iter().enumerate() {
        let lines = lines.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(pipe.into_iter().next()?);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).ok()? > 0 {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                lines.send((place, text)).ok()?;
                line.clear();
            }
            Some(())
        });
    }
    drop(lines);
    let mut all: [Vec<String>; 2] = Default::default();
    for (place, line) in said {
        if !line.trim().is_empty() {
            bar.set_message(format!("{doing}: {}", line.trim()));
            all[place].push(line);
        }
    }
    bar.finish_and_clear();
    let status = child.wait().map_err(|error| Failure::new(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let [output, errors] = all;
    let lines = if errors.is_empty() { output } else { errors };
    // A tool tries again several times before it gives up with words that fit any cause.
    let is_network = Failure::new(lines.join("\n")).is_network;
    let words = last_words(&lines).unwrap_or_else(|| format!("`{program}` ended with {status}"));
    Err(Failure { words, is_network })
}

/// Returns the last lines that a tool said, without notices that have nothing to do with it.
fn last_words(lines: &[String]) -> Option<String> {
    let is_notice = |line: &&String| line.starts_with("[notice]") || line.starts_with("npm notice");
    let lines: Vec<_> = lines.iter().filter(|line| !is_notice(line)).collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    let text: Vec<_> = last.iter().map(|line| line.as_str()).collect();
    (!text.is_empty()).then(|| text.join("\n  ").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(script: &str) -> Failure {
        run(Command::new("sh").args(["-c", script]), "testing").expect_err("it fails")
    }

    #[test]
    fn a_tools_last_words_are_kept_and_a_missing_network_is_told_apart() {
        assert!(run(Command::new("sh").args(["-c", "echo a; echo b >&2"]), "testing").is_ok());
        let failed = failure("echo out; for i in $(seq 40); do echo line $i >&2; done; exit 3");
        assert!(failed.words.starts_with("line 25\n  line 26"), "{}", failed.words);
        assert!(failed.words.ends_with("line 40") && !failed.is_network);
        assert_eq!(failure("echo out; exit 1").words, "out");
        assert!(failure("exit 7").words.contains("exit status: 7"));
        assert!(failure("echo 'Failed to establish a new connection: x' >&2; exit 1").is_network);
        assert!(run(&mut Command::new("no-such-program"), "testing").is_err());
    }
}
