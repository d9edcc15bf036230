//! Where an execution and its steps stand.

use serde::{Deserialize, Serialize};

/// Counts the commits of an execution; the first is 1, and 0 stands for "before the first".
pub type Revision = u32;

/// Status of an execution, with SageMaker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecutionStatus {
    Executing,
    Stopping,
    Stopped,
    Failed,
    Succeeded,
}

impl ExecutionStatus {
    pub fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed | Self::Succeeded)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Executing => "Executing",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Failed => "Failed",
            Self::Succeeded => "Succeeded",
        }
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its turn has not come.
    Waiting,
    /// An attempt is claimed.
    Executing,
    /// An attempt failed, and another follows after a delay.
    Retrying,
    /// Its function succeeded.
    Succeeded,
    /// An equal step's result stands in.
    CacheHit,
    /// An earlier result stands in, since the step is not to run.
    Reused,
    /// Not selected and not needed.
    NotSelected,
    /// A condition held.
    ConditionTrue,
    /// A condition did not hold.
    ConditionFalse,
    Failed,
    /// Not run because of a branch.
    Skipped,
    /// Not run because of a failure.
    NotStarted,
    /// Was to be tried again when the execution was stopped.
    Stopped,
}

impl Phase {
    pub(crate) const CODES: [(Self, u8); 13] = [
        (Self::Waiting, b'-'),
        (Self::Executing, b'x'),
        (Self::Retrying, b'y'),
        (Self::Stopped, b'p'),
        (Self::Succeeded, b's'),
        (Self::CacheHit, b'c'),
        (Self::Reused, b'r'),
        (Self::NotSelected, b'o'),
        (Self::ConditionTrue, b't'),
        (Self::ConditionFalse, b'e'),
        (Self::Failed, b'f'),
        (Self::Skipped, b'k'),
        (Self::NotStarted, b'n'),
    ];

    /// Whether the step has ended with outputs or an outcome that others may read.
    pub fn has_succeeded(self) -> bool {
        use Phase::{CacheHit, ConditionFalse, ConditionTrue, Reused, Succeeded};
        matches!(self, Succeeded | CacheHit | Reused | ConditionTrue | ConditionFalse)
    }

    /// SageMaker's status of the step; none where SageMaker would not list it.
    pub fn step_status(self) -> Option<&'static str> {
        match self {
            Self::Waiting | Self::Skipped | Self::NotStarted | Self::NotSelected => None,
            Self::Executing => Some("Executing"),
            Self::Retrying => Some("Starting"),
            Self::Stopped => Some("Stopped"),
            Self::Failed => Some("Failed"),
            Self::Succeeded
            | Self::CacheHit
            | Self::Reused
            | Self::ConditionTrue
            | Self::ConditionFalse => Some("Succeeded"),
        }
    }

    /// Whether nothing more happens to the step.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Executing | Self::Retrying)
    }

    /// Whether the step waits again when the execution is taken up again.
    pub fn is_retried(self) -> bool {
        matches!(self, Self::Failed | Self::NotStarted | Self::Stopped | Self::Skipped)
    }
}

/// The phase of one step, and the commit that brought it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepState {
    pub phase: Phase,
    /// The commit that brought it there; 0 while waiting.
    pub revision: Revision,
}
