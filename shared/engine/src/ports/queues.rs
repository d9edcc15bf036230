//! The port to queues: messages of Callback steps, and later calls of the planner.

use async_trait::async_trait;
use serde_json::{Value, json};
use sidestep_core::failure::FailureType;
use sidestep_core::name::ExecutionId;

use crate::ports::source::BoxError;

/// A failure of the queue service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    #[error("queue `{queue_url}` does not exist")]
    NotFound { queue_url: String },
    /// Any other refusal, as the service says it. The adapter has used up its own retries.
    #[error("could not send to queue `{queue_url}`")]
    Unavailable { queue_url: String, source: BoxError },
}

impl QueueError {
    /// Returns the type of the step's failure.
    pub fn failure_type(&self) -> FailureType {
        match self {
            Self::NotFound { .. } => FailureType::QueueNotFound,
            Self::Unavailable { .. } => FailureType::ServiceFault,
        }
    }
}

/// Queues.
#[async_trait]
pub trait Queues: Send + Sync + std::fmt::Debug {
    /// Sends a message. Twice: two messages, and the first answer counts.
    async fn send(&self, queue_url: &str, body: &Value) -> Result<(), QueueError>;

    /// Delivers an event to the planner at `at_ms`, or earlier if a queue cannot delay so long.
    ///
    /// Twice: the planner finds nothing due. Never: the sweep finds what is due.
    async fn later(&self, event: &Value, at_ms: u64, now_ms: u64) -> Result<(), QueueError>;

    /// Delivers the event of a result to the planner soon, together with others. Returns `false` if
    /// there is no queue for that.
    ///
    /// Twice: the second one finds it settled.
    async fn report(&self, event: &Value) -> Result<bool, QueueError>;

    /// Wakes the planner for an execution, as [`Queues::later`] does.
    async fn wake(&self, id: &ExecutionId, at_ms: u64, now_ms: u64) -> Result<(), QueueError> {
        let event = json!({ "Wake": { "ExecutionId": id, "AtMs": at_ms } });
        self.later(&event, at_ms, now_ms).await
    }
}
