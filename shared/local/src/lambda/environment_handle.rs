//! An execution environment as attempts and the scheduler see it: a handle that takes assignments.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::invocation::{Invocation, Outcome};

/// The scheduler's end of an environment. Dropping it ends the environment once it is idle.
#[derive(Debug)]
pub(super) struct EnvironmentHandle {
    pub(super) id: u64,
    pub(super) idle_since: Instant,
    assignments: mpsc::Sender<Assignment>,
}

/// An invocation for an environment, and the way to report how it ended.
#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) invocation: Arc<Invocation>,
    pub(super) init: InitTry,
    pub(super) done: oneshot::Sender<Done>,
}

/// Which of Lambda's two tries an environment has for its initialisation.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InitTry {
    /// The first, in 10 seconds. If it fails, the second begins.
    First,
    /// The second, in the function's own timeout.
    Second,
}

/// How an assignment ended.
#[derive(Debug)]
pub(super) enum Done {
    /// The environment is idle again.
    Alive(Outcome),
    /// The environment is gone.
    Gone(Outcome),
    /// The first try at the initialisation failed or took too long.
    InitFailed,
    /// A warm environment ended before it took the event: nothing ran, so another may take it.
    Undelivered,
}

impl EnvironmentHandle {
    /// Makes the handle of environment `id`, and the receiver from which its worker is assigned.
    pub(super) fn new(id: u64) -> (Self, mpsc::Receiver<Assignment>) {
        let (assignments, receiver) = mpsc::channel(1);
        (Self { id, idle_since: Instant::now(), assignments }, receiver)
    }

    /// Hands an invocation over. Fails, having done nothing, if the environment is gone.
    pub(super) async fn assign(&self, assignment: Assignment) -> Result<(), Assignment> {
        self.assignments.send(assignment).await.map_err(|refused| refused.0)
    }
}
