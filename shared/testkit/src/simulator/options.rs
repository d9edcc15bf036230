//! What a caller may ask of a run, beside its seed.

use sidestep_core::plan::handoff::Handoff;

/// A mistake planted into the ports, which the check must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Sometimes a commit is accepted although one of its revision exists.
    TwoCommitsOfOneRevision,
    /// Sometimes an invocation is forgotten, and there is no sweep.
    ForgetsInvocations,
    /// Attempts leave their tokens where a hostile neighbour reads them.
    LeavesTokens,
}

/// The options of a run, beside its seed.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub is_traced: bool,
    pub bug: Option<Bug>,
    /// The roads that results take. Without it, the seed draws them.
    pub handoff: Option<Handoff>,
    /// If true, a neighbour of each step forges its reports.
    pub is_hostile: bool,
}
