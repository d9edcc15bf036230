//! Unwraps batches of SQS. The planner and the trigger get events one by one or in such batches.
//!
//! The answer to a batch names the messages that failed, so that only these are delivered again
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).

use futures::future::join_all;
use serde_json::{Value, json};
use sidestep_core::event::sqs::{QueueMessage, queue_messages};
use tracing::{error, info};

use crate::engine::Engine;
use crate::error::{EngineError, error_chain};

/// The function that got an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumer {
    Planner,
    Trigger,
    /// The function that makes jobs.
    Job,
}

impl Engine {
    /// Handles one event of a function, or all messages of a batch at once.
    ///
    /// After an error, a single event should be delivered again. The failures of a batch are in the
    /// answer.
    pub async fn consume(&self, consumer: Consumer, event: Value) -> Result<Value, EngineError> {
        let Some(messages) = queue_messages(&event) else { return self.one(consumer, event).await };
        let handled = messages.into_iter().map(|QueueMessage { id, body, .. }| async move {
            let Ok(event) = serde_json::from_str(&body) else {
                info!(id, "a message that is not JSON is ignored");
                return None;
            };
            let failure = self.one(consumer, event).await.err()?;
            error!(id, error = error_chain(&failure), "the message failed and is delivered again");
            Some(json!({ "itemIdentifier": id }))
        });
        let failed: Vec<_> = join_all(handled).await.into_iter().flatten().collect();
        Ok(json!({ "batchItemFailures": failed }))
    }

    /// Handles one event.
    async fn one(&self, consumer: Consumer, event: Value) -> Result<Value, EngineError> {
        match consumer {
            Consumer::Planner => self.handle(event).await,
            Consumer::Job => self.handle_job(&event).await,
            Consumer::Trigger => match (event.get("Schedule"), event.get("Probe")) {
                (Some(message), _) => self.scheduled(message).await,
                (None, Some(message)) => self.probed(message).await,
                (None, None) => self.uploaded(event).await,
            },
        }
    }
}
