//! Who sends a request.

use std::future::Future;

/// The sender of a request that is not the user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// A function by its name: its handler, or the planner in its process.
    Function(String),
    /// The planner in the cloud's process.
    Planner,
    /// The trigger in the cloud's process.
    Trigger,
    /// A process that an environment left behind when it ended.
    Ended,
}

tokio::task_local! {
    static CALLER: Caller;
}

/// Makes the requests of a future those of `caller`. Tasks that it spawns are the user's.
pub(crate) async fn as_caller<F: Future>(caller: Caller, future: F) -> F::Output {
    CALLER.scope(caller, future).await
}

/// Returns the caller of the task that runs.
pub(crate) fn current_caller() -> Option<Caller> {
    CALLER.try_with(Clone::clone).ok()
}
