//! Messages of a queue, unwrapped: the planner and the trigger are handed events one by one, or in batches of a queue.
//!
//! A batch answers which of its messages failed, so that a bad one comes again alone and the others are done
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).

use futures::future::join_all;
use serde_json::{Value, json};
use sidestep_core::event::sqs::{QueueMessage, queue_messages};
use tracing::{error, info};

use crate::engine::{Engine, EngineError, error_chain};

/// Which function was handed an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumer {
    Planner,
    Trigger,
}

impl Engine {
    /// Handles one event of a function, or every message of a batch at once.
    ///
    /// An error of a lone event means that it should be delivered again; those of a batch are in the answer.
    pub async fn consume(&self, consumer: Consumer, event: Value) -> Result<Value, EngineError> {
        let Some(messages) = queue_messages(&event) else { return self.one(consumer, event).await };
        let handled = messages.into_iter().map(|QueueMessage { id, body, .. }| async move {
            let Ok(event) = serde_json::from_str(&body) else {
                info!(id, "a message that is not JSON is ignored");
                return None;
            };
            let failure = self.one(consumer, event).await.err()?;
            error!(id, error = error_chain(&failure), "the message is left for another try");
            Some(json!({ "itemIdentifier": id }))
        });
        let failed: Vec<_> = join_all(handled).await.into_iter().flatten().collect();
        Ok(json!({ "batchItemFailures": failed }))
    }

    async fn one(&self, consumer: Consumer, event: Value) -> Result<Value, EngineError> {
        match consumer {
            Consumer::Planner => self.handle(event).await,
            Consumer::Trigger => match (event.get("Schedule"), event.get("Probe")) {
                (Some(message), _) => self.scheduled(message).await,
                (None, Some(message)) => self.probed(message).await,
                (None, None) => self.uploaded(event).await,
            },
        }
    }
}
