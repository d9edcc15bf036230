//! The one error of the command: its kind picks the exit status, its causes and hints are printed.
//!
//! Every library error becomes a [`CommandError`] by one `From` in `conversions`, so that a new
//! kind of failure is judged in one place. The adapters judge whether a full disk caused it.

mod conversions;
#[cfg(test)]
mod tests;

use std::error::Error;

use serde_json::{Value, json};

use super::exit_status::ExitStatus;

type BoxError = Box<dyn Error + Send + Sync>;

/// The side at fault, which picks the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ErrorKind {
    /// The user's input is wrong.
    User,
    /// A service, or this machine, failed.
    Service,
}

/// A line printed below the error and its causes.
#[derive(Debug)]
enum Hint {
    /// More about the error itself, such as one problem of a definition.
    Detail(String),
    /// What the user can do.
    Advice(String),
}

/// Why a command ended without doing what it was asked for.
#[derive(Debug)]
pub(crate) struct CommandError {
    kind: ErrorKind,
    error: BoxError,
    hints: Vec<Hint>,
}

/// A message in the user's terms, and the failure that caused it.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Message {
    text: String,
    source: Option<BoxError>,
}

/// Returns the error of an input that is wrong.
pub(crate) fn user(message: impl Into<String>) -> CommandError {
    CommandError::new(ErrorKind::User, Message { text: message.into(), source: None })
}

/// Returns the error of a service or machine that failed.
pub(crate) fn service(message: impl Into<String>) -> CommandError {
    CommandError::new(ErrorKind::Service, Message { text: message.into(), source: None })
}

/// Adds a message to a library's error, which becomes the cause.
pub(crate) trait OrError<T> {
    /// Blames the user's input.
    fn or_user<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T, CommandError>;
    /// Blames a service or this machine.
    fn or_service<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T, CommandError>;
}

impl<T, E: Into<BoxError>> OrError<T> for Result<T, E> {
    fn or_user<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T, CommandError> {
        self.map_err(|cause| CommandError::caused(ErrorKind::User, message(), cause))
    }

    fn or_service<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T, CommandError> {
        self.map_err(|cause| CommandError::caused(ErrorKind::Service, message(), cause))
    }
}

impl CommandError {
    /// Wraps a library's error.
    fn new(kind: ErrorKind, error: impl Into<BoxError>) -> Self {
        Self { kind, error: error.into(), hints: Vec::new() }
    }

    /// Returns an error with a message and the failure that caused it.
    fn caused(kind: ErrorKind, text: impl Into<String>, cause: impl Into<BoxError>) -> Self {
        Self::new(kind, Message { text: text.into(), source: Some(cause.into()) })
    }

    /// Adds advice.
    pub(crate) fn hint(mut self, advice: impl Into<String>) -> Self {
        self.hints.push(Hint::Advice(advice.into()));
        self
    }

    /// Adds more about the error itself.
    pub(crate) fn detail(mut self, line: impl Into<String>) -> Self {
        self.hints.push(Hint::Detail(line.into()));
        self
    }

    /// Adds the advice for a full disk.
    fn disk_full_hint(self, is_disk_full: bool) -> Self {
        if is_disk_full {
            self.hint("free some space on the disk that holds the state folder")
        } else {
            self
        }
    }

    /// Puts a message in front, with this error as its cause. Kind and hints stay.
    pub(crate) fn within(self, message: impl Into<String>) -> Self {
        let Self { kind, error, hints } = self;
        Self { hints, ..Self::caused(kind, message, error) }
    }

    /// Returns the message and its causes, each once.
    fn lines(&self) -> Vec<String> {
        let first: &(dyn Error + 'static) = &*self.error;
        let causes = std::iter::successors(Some(first), |error| (*error).source());
        let mut lines: Vec<String> = causes.map(ToString::to_string).collect();
        // A transparent wrapper says the same as what it wraps.
        lines.dedup();
        lines
    }

    /// Returns the message and its causes on one line, for a note.
    pub(crate) fn one_line(&self) -> String {
        self.lines().join(": ")
    }

    /// Returns the message, its causes and its details on one line, for a reason that is kept.
    pub(crate) fn with_details(&self) -> String {
        let details = self.hints.iter().filter_map(|hint| match hint {
            Hint::Detail(line) => Some(line.clone()),
            Hint::Advice(_) => None,
        });
        let text = [self.one_line()].into_iter().chain(details).collect::<Vec<_>>().join("; ");
        text.replace('\n', " ")
    }

    /// Returns the error as JSON.
    fn document(&self) -> Value {
        let mut lines = self.lines().into_iter();
        let (message, causes) = (lines.next(), lines.collect::<Vec<_>>());
        let (mut details, mut hints) = (Vec::new(), Vec::new());
        for hint in &self.hints {
            match hint {
                Hint::Detail(line) => details.push(line),
                Hint::Advice(text) => hints.push(text),
            }
        }
        let kind = match self.kind {
            ErrorKind::User => "UserError",
            ErrorKind::Service => "ServiceError",
        };
        json!({ "Error": {
            "Kind": kind, "Message": message, "Causes": causes, "Details": details, "Hints": hints,
        }})
    }

    /// Prints the error to stderr, with `--json` also as one document to stdout, and returns the
    /// exit status of its kind.
    pub(crate) fn report(&self, is_json: bool) -> ExitStatus {
        if is_json {
            println!("{:#}", self.document());
        }
        for (place, line) in self.lines().iter().enumerate() {
            let lead = if place == 0 { "error: " } else { "  because " };
            eprintln!("{lead}{line}");
        }
        for hint in &self.hints {
            match hint {
                Hint::Detail(line) => eprintln!("  {line}"),
                Hint::Advice(text) => eprintln!("hint: {text}"),
            }
        }
        match self.kind {
            ErrorKind::User => ExitStatus::UserError,
            ErrorKind::Service => ExitStatus::ServiceError,
        }
    }
}
