//! Run conditions: how a step must have ended for a step that waits for it to start.
//!
//! SageMaker has them on the edges of the graph, as entries `{"Step", "Trigger"}` of `DependsOn`.

use crate::execution::phase::Phase;

/// `Trigger` of an entry of `DependsOn`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trigger {
    /// It succeeded. An entry that is only a name means this.
    #[default]
    Completed,
    /// It failed.
    Failed,
    /// It was stopped.
    Stopped,
    /// It ended in any way, also without having run.
    Any,
}

impl Trigger {
    pub const ALL: [(&'static str, Self); 4] = [
        ("Completed", Self::Completed),
        ("Failed", Self::Failed),
        ("Stopped", Self::Stopped),
        ("Any", Self::Any),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
            Self::Any => "Any",
        }
    }

    /// Returns true if a step that ended in `phase` lets the other one start.
    ///
    /// A selection checks that a step which is not selected failed in the source execution, where
    /// it counts as not selected (`selection`).
    pub fn holds(self, phase: Phase) -> bool {
        match self {
            Self::Completed => phase.has_succeeded(),
            Self::Failed => matches!(phase, Phase::Failed | Phase::NotSelected),
            Self::Stopped => phase == Phase::Stopped,
            Self::Any => phase.is_over(),
        }
    }

    /// Returns true if the other step may start although this one did not succeed.
    pub fn allows_failure(self) -> bool {
        self != Self::Completed
    }
}
