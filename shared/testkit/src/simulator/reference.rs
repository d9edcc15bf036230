//! The rules a second time, written from the documents and not from the planner: when a step may
//! start, and how an execution ends.

use super::pipeline::{Kind, Model, Rule};

/// A step's phase, as the reference sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Running,
    /// Between two attempts.
    Between,
    /// Succeeded, with the outcome if it is a condition.
    Succeeded(Option<bool>),
    Failed,
    Skipped,
    NotSelected,
    /// A step before it failed.
    Blocked,
    Stopped,
}

/// The next thing that a waiting step may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    Wait,
    Start,
    Skip,
    /// The step can never start.
    Block,
}

impl State {
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running | Self::Between)
    }
}

/// Applies the rules to a waiting step that is selected.
pub(crate) fn may(model: &Model, states: &[State], step: usize) -> May {
    let has_fired =
        |other: usize| model.steps[other].kind == Kind::Fail && states[other] == State::Failed;
    if (0..states.len()).any(has_fired) {
        return May::Block;
    }
    if let Some((condition, is_if)) = model.steps[step].parent {
        match states[condition] {
            State::Succeeded(outcome) if outcome == Some(is_if) => {}
            State::Succeeded(_) | State::Skipped | State::NotSelected => return May::Skip,
            State::Failed if model.steps[condition].may_fail => return May::Skip,
            State::Failed | State::Blocked => return May::Block,
            _ => return May::Wait,
        }
    }
    let dependencies = model.dependencies(step);
    if dependencies.iter().any(|of| !states[*of].is_over()) {
        return May::Wait;
    }
    let is = |wanted: &dyn Fn(usize) -> bool| dependencies.iter().any(|of| wanted(*of));
    let is_broken = is(&|of| match states[of] {
        State::Failed => !model.steps[of].may_fail,
        state => state == State::Blocked,
    });
    let is_absent = is(&|of| match states[of] {
        State::Failed => model.steps[of].may_fail,
        state => matches!(state, State::Skipped | State::NotSelected),
    });
    let has_one = is(&|of| matches!(states[of], State::Succeeded(_)));
    match model.steps[step].rule {
        Rule::AllDone => May::Start,
        Rule::AnySucceeded if has_one || dependencies.is_empty() => May::Start,
        _ if is_broken => May::Block,
        Rule::AllSucceeded | Rule::AnySucceeded if is_absent => May::Skip,
        _ => May::Start,
    }
}

/// Returns SageMaker's status of an execution whose steps ended like this.
pub(crate) fn status(model: &Model, states: &[State], is_stopped: bool) -> &'static str {
    let fails =
        |(step, state): (usize, &State)| *state == State::Failed && !model.steps[step].may_fail;
    if states.iter().enumerate().any(fails) {
        "Failed"
    } else if is_stopped {
        "Stopped"
    } else {
        "Succeeded"
    }
}
