//! How a job ended.

use crate::jobs::record::Metric;

/// The end of a job, in the words of its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    /// The reason.
    Failed(String),
    Stopped,
    /// The job ran longer than it may. The reason says how long that is.
    OutOfTime(String),
}

/// A job that has ended, and what it left besides files.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) exit_message: Option<String>,
    pub(crate) metrics: Vec<Metric>,
}

impl Ended {
    /// Returns the end of a job that left nothing.
    pub(crate) fn new(outcome: Outcome) -> Self {
        Self { outcome, exit_message: None, metrics: Vec::new() }
    }
}
