//! An execution's state: the fold of its commits, small enough to be rewritten at every commit.
//!
//! A step takes four bytes: one letter for its phase, and three characters for the revision at
//! which it got there. So 200 steps fit into a `HEAD` item of 1 KB, which is one DynamoDB write
//! unit. Everything bulky stays in the commit that the revision names.

pub mod commit;
pub mod inputs;
pub mod invocation;
pub mod manifest;
pub mod past;
pub mod phase;
pub mod proof;
pub mod result;
pub mod savings;
mod standing;
pub mod start;
pub mod token;
pub mod trace;
pub mod witness;

use crate::definition::StepIndex;
use crate::execution::commit::{Commit, End};
use crate::execution::savings::Savings;

pub use crate::execution::phase::{ExecutionStatus, Phase, Revision, StepState};

/// The state of an execution: its commits, folded.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    pub status: ExecutionStatus,
    /// The revision of the last commit that is folded in.
    pub revision: Revision,
    /// The states of the steps in definition order.
    pub steps: Vec<StepState>,
    /// What reuse has saved so far.
    pub saved: Savings,
}

/// The error for a commit that does not follow from the state it is folded into. It means a defect
/// or a damaged store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    #[error("commit {found} cannot follow revision {revision}")]
    OutOfOrder { revision: Revision, found: Revision },
    #[error("step {step} does not exist")]
    UnknownStep { step: usize },
    #[error("step {step} cannot go from {from:?} to {to:?}")]
    IllegalTransition { step: usize, from: Phase, to: Phase },
    #[error("`{0}` is not the state of an execution's steps")]
    Unreadable(String),
}

impl Execution {
    /// Returns the state before the first commit.
    pub fn new(step_count: usize) -> Self {
        let waiting = StepState { phase: Phase::Waiting, revision: 0 };
        let (status, steps) = (ExecutionStatus::Executing, vec![waiting; step_count]);
        Self { status, revision: 0, steps, saved: Savings::default() }
    }

    pub fn step(&self, index: StepIndex) -> StepState {
        self.steps[index.0]
    }

    /// Folds one commit in. On an error the state stays as it was.
    pub fn apply(&mut self, commit: &Commit) -> Result<(), FoldError> {
        let is_legal = self.status.is_over() == commit.retry.is_some();
        if commit.revision != self.revision + 1 || !is_legal {
            let (revision, found) = (self.revision, commit.revision);
            return Err(FoldError::OutOfOrder { revision, found });
        }
        let mut next = self.clone();
        if let Some(retry) = &commit.retry {
            next.status = ExecutionStatus::Executing;
            for (index, state) in next.steps.iter_mut().enumerate() {
                if state.phase.is_retried() || retry.again.contains(&StepIndex(index)) {
                    *state = StepState { phase: Phase::Waiting, revision: commit.revision };
                }
            }
        }
        if commit.stop {
            next.status = ExecutionStatus::Stopping;
        }
        for completion in &commit.completions {
            next.set_phase(completion.step, completion.result.phase(), commit.revision)?;
        }
        for decision in &commit.decisions {
            next.set_phase(decision.step, decision.verdict.phase(), commit.revision)?;
            next.saved.add(&decision.verdict);
        }
        if let Some(end) = &commit.end {
            next.status = match end {
                End { failure_reason: Some(_), followed_up: true, .. } => {
                    ExecutionStatus::CompletedWithFailures
                }
                End { failure_reason: Some(_), .. } => ExecutionStatus::Failed,
                End { stopped: true, .. } => ExecutionStatus::Stopped,
                End { .. } => ExecutionStatus::Succeeded,
            };
        }
        next.revision = commit.revision;
        *self = next;
        Ok(())
    }

    /// Moves a step to another phase. This is the one place where a step's phase changes.
    fn set_phase(
        &mut self,
        step: StepIndex,
        to: Phase,
        revision: Revision,
    ) -> Result<(), FoldError> {
        let unknown = FoldError::UnknownStep { step: step.0 };
        let state = self.steps.get_mut(step.0).ok_or(unknown)?;
        let is_legal = match state.phase {
            Phase::Waiting => {
                !matches!(to, Phase::Waiting | Phase::Succeeded | Phase::Retrying | Phase::Stopped)
            }
            // `Executing` again means a new attempt after a lapsed lease.
            Phase::Executing => {
                matches!(
                    to,
                    Phase::Executing
                        | Phase::Succeeded
                        | Phase::Failed
                        | Phase::Retrying
                        | Phase::Stopped
                )
            }
            Phase::Retrying => matches!(to, Phase::Executing | Phase::Failed | Phase::Stopped),
            _ => false,
        };
        if !is_legal {
            return Err(FoldError::IllegalTransition { step: step.0, from: state.phase, to });
        }
        *state = StepState { phase: to, revision };
        Ok(())
    }

    /// Writes the steps as they stand in `HEAD`: four ASCII characters each.
    pub fn encode_steps(&self) -> String {
        let mut text = String::with_capacity(self.steps.len() * 4);
        for state in &self.steps {
            let code = Phase::CODES.iter().find(|(phase, _)| *phase == state.phase);
            text.push(char::from(code.expect("CODES lists every phase").1));
            for shift in [12, 6, 0] {
                let digit = (state.revision >> shift) & 63;
                text.push(char::from(DIGITS[digit as usize]));
            }
        }
        text
    }

    /// Reads what [`Execution::encode_steps`] wrote.
    pub fn decode_steps(text: &str) -> Result<Vec<StepState>, FoldError> {
        let unreadable = || FoldError::Unreadable(text.chars().take(80).collect());
        let bytes = text.as_bytes();
        if !bytes.len().is_multiple_of(4) {
            return Err(unreadable());
        }
        let decode = |code: &[u8]| {
            let phase = Phase::CODES.iter().find(|(_, letter)| *letter == code[0])?.0;
            let revision = code[1..].iter().try_fold(0, |revision: u32, digit| {
                let value = DIGITS.iter().position(|known| known == digit)?;
                Some(revision << 6 | u32::try_from(value).ok()?)
            })?;
            Some(StepState { phase, revision })
        };
        bytes.chunks_exact(4).map(|code| decode(code).ok_or_else(unreadable)).collect()
    }
}

/// The digits of revisions in base 64, most significant digit first. Three digits count to 262,143,
/// which is over 60 commits for each of 4,000 steps.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The last revision that [`Execution::encode_steps`] can write.
pub const LAST_REVISION: Revision = (1 << 18) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::commit::{AttemptResult, Claim, Completion, Decision, Failure, Verdict};
    use crate::execution::inputs::Inputs;

    fn decide(revision: Revision, step: usize, verdict: Verdict) -> Commit {
        let decision = Decision::new(StepIndex(step), verdict, String::new());
        Commit { decisions: vec![decision], ..Commit::new(revision, 0) }
    }

    fn claim() -> Verdict {
        Verdict::Run(Claim {
            attempt_count: 1,
            lease_until_ms: 0,
            started_at_ms: 0,
            deadline_ms: None,
            callback_token: None,
            job: None,
            cache: None,
            inputs: Inputs::default(),
        })
    }

    #[test]
    fn two_hundred_steps_leave_room_in_one_write_unit() {
        let mut execution = Execution::new(200);
        execution.apply(&decide(1, 199, claim())).expect("legal");
        assert_eq!(execution.encode_steps().len(), 800);
    }

    #[test]
    fn steps_read_back_as_written() {
        let mut execution = Execution::new(3);
        for revision in 1..=70 {
            execution.apply(&decide(revision, 1, claim())).expect("legal");
        }
        execution.apply(&decide(71, 2, Verdict::Skipped)).expect("legal");
        let text = execution.encode_steps();
        assert_eq!(text, "-AAAxABGkABH");
        assert_eq!(Execution::decode_steps(&text), Ok(execution.steps));
    }

    #[test]
    fn a_damaged_state_is_refused() {
        for text in ["-AA", "?AAA", "-A A", "-AAAé"] {
            assert!(Execution::decode_steps(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_step_ends_once() {
        let mut execution = Execution::new(1);
        execution.apply(&decide(1, 0, claim())).expect("legal");
        let failure = Failure { error_type: "E".to_owned(), message: "m".to_owned() };
        let end = Completion {
            step: StepIndex(0),
            attempt_count: 1,
            result: AttemptResult::Failed(failure),
        };
        let mut commit = Commit { completions: vec![end], ..Commit::new(2, 0) };
        execution.apply(&commit).expect("legal");
        let ended = execution.clone();
        commit.revision = 3;
        let error = execution.apply(&commit).expect_err("it has ended");
        assert!(matches!(error, FoldError::IllegalTransition { from: Phase::Failed, .. }));
        assert_eq!(execution, ended, "an error changes nothing");
    }

    #[test]
    fn commits_fold_in_order_and_never_after_the_end() {
        let mut execution = Execution::new(1);
        assert!(execution.apply(&decide(2, 0, Verdict::Skipped)).is_err());
        let mut commit = decide(1, 0, Verdict::Skipped);
        commit.end = Some(End::default());
        execution.apply(&commit).expect("legal");
        assert_eq!(execution.status, ExecutionStatus::Succeeded);
        assert!(execution.apply(&Commit::new(2, 0)).is_err());
    }
}
