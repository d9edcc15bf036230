//! Queues in memory, which keep their messages for the test.

use std::collections::BTreeSet;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use sidestep_engine::ports::queues::{QueueError, Queues};

/// The longest delay of a message, by SQS's limit.
const LONGEST_DELAY_MS: u64 = 900_000;

/// A message or a call that was sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A message of a Callback step.
    Callback { queue_url: String, body: Value },
    /// A call of the planner with this event, due after this delay.
    Wake { delay_ms: u64, event: Value },
}

/// Queues that exist by URL.
#[derive(Debug, Default)]
pub struct MemoryQueues {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeSet<String>,
    sent: Vec<Message>,
}

impl MemoryQueues {
    pub fn create(&self, queue_url: &str) {
        self.lock().known.insert(queue_url.to_owned());
    }

    /// Takes everything that was sent since the last call.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.lock().sent)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[async_trait]
impl Queues for MemoryQueues {
    async fn send(&self, queue_url: &str, body: &Value) -> Result<(), QueueError> {
        let mut state = self.lock();
        let queue_url = queue_url.to_owned();
        if !state.known.contains(&queue_url) {
            return Err(QueueError::NotFound { queue_url });
        }
        state.sent.push(Message::Callback { queue_url, body: body.clone() });
        Ok(())
    }

    async fn later(&self, event: &Value, at_ms: u64, now_ms: u64) -> Result<(), QueueError> {
        let delay_ms = at_ms.saturating_sub(now_ms).min(LONGEST_DELAY_MS);
        self.lock().sent.push(Message::Wake { delay_ms, event: event.clone() });
        Ok(())
    }

    async fn report(&self, event: &Value) -> Result<bool, QueueError> {
        self.lock().sent.push(Message::Wake { delay_ms: 0, event: event.clone() });
        Ok(true)
    }
}
