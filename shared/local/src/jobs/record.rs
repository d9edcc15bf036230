//! A job as the store keeps it: its request, and how far it has come.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::JobKind;

/// The status of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    #[default]
    InProgress,
    Stopping,
    Completed,
    Failed,
    Stopped,
}

impl Status {
    /// Returns the word of requests and answers.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Stopping => "Stopping",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }

    /// Returns true if the job has ended.
    pub(crate) fn is_final(self) -> bool {
        !matches!(self, Self::InProgress | Self::Stopping)
    }
}

/// A secondary status of a training job, which holds from `start_ms` on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transition {
    pub(crate) status: String,
    pub(crate) message: String,
    pub(crate) start_ms: i64,
    pub(crate) end_ms: Option<i64>,
}

/// The last value that a metric's pattern found in a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) at_ms: i64,
}

/// How far a job has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub(crate) status: Status,
    pub(crate) transitions: Vec<Transition>,
    pub(crate) failure: Option<String>,
    pub(crate) exit_message: Option<String>,
    pub(crate) started_ms: Option<i64>,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) metrics: Vec<Metric>,
    /// How often the job was started: again if the server ended meanwhile.
    pub(crate) starts: u32,
}

impl State {
    /// Takes the next secondary status.
    pub(crate) fn next(&mut self, status: &str, message: &str, now_ms: i64) {
        if self.secondary() == Some(status) {
            return;
        }
        if let Some(last) = self.transitions.last_mut() {
            last.end_ms = Some(now_ms);
        }
        self.transitions.push(Transition {
            status: status.to_owned(),
            message: message.to_owned(),
            start_ms: now_ms,
            end_ms: None,
        });
    }

    /// Returns the secondary status.
    pub(crate) fn secondary(&self) -> Option<&str> {
        self.transitions.last().map(|last| last.status.as_str())
    }
}

/// A job.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) kind: JobKind,
    pub(crate) name: String,
    /// The request, without its tags.
    pub(crate) request: Value,
    pub(crate) state: State,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
}

impl Record {
    /// Returns the job's ARN.
    pub(crate) fn arn(&self) -> String {
        self.kind.arn(&self.name)
    }

    /// Returns a text of the request by its JSON pointer, or an empty one.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.request.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}
