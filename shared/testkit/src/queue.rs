//! The suite that every port to queues passes.

#![expect(clippy::unwrap_used, reason = "a suite panics where a promise is broken")]

use serde_json::{Value, json};
use sidestep_core::failure::FailureType;
use sidestep_core::name::ExecutionId;
use sidestep_engine::ports::queues::{QueueError, Queues};

/// Checks the promises of `queues`, with a queue of the URL `known`.
///
/// `received` takes the messages that the queue has now, and `woken` the calls and results that the
/// planner would get now.
pub async fn suite(
    queues: &dyn Queues,
    known: &str,
    received: impl AsyncFn() -> Vec<Value>,
    woken: impl AsyncFn() -> Vec<Value>,
) {
    let absent = "https://sqs.us-east-1.amazonaws.com/000000000000/absent";
    let error = queues.send(absent, &json!({})).await.unwrap_err();
    assert!(matches!(&error, QueueError::NotFound { queue_url } if queue_url == absent));
    assert_eq!(error.failure_type(), FailureType::QueueNotFound);

    // A message arrives as it was sent, as often as it was.
    assert_eq!(received().await, [] as [Value; 0]);
    let body = json!({"token": "Ab3", "arguments": {"text": "ü \" \n", "whole": 9_007_199_254_740_993_i64}});
    for _ in 0..2 {
        queues.send(known, &body).await.unwrap();
    }
    assert_eq!(received().await, [body.clone(), body]);

    // A call that is due comes now, one of tomorrow does not.
    let id = ExecutionId::from_bytes([7; 16]);
    let now_ms = 1_700_000_000_000;
    queues.wake(&id, now_ms + 86_400_000, now_ms).await.unwrap();
    queues.wake(&id, now_ms - 1, now_ms).await.unwrap();
    let call = json!({"Wake": {"ExecutionId": id, "AtMs": now_ms - 1}});
    assert_eq!(woken().await, [call]);
    assert_eq!(woken().await, [] as [Value; 0], "tomorrow's");

    // A result is handed to the planner as it is.
    let report = json!({"Report": {"Outputs": {"text": "ü"}}});
    assert!(queues.report(&report).await.unwrap());
    assert_eq!(woken().await, [report]);
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::Value;

    use crate::memory::{MemoryQueues, Message};

    #[tokio::test]
    async fn the_queues_in_memory_pass_their_suite() {
        let queues = MemoryQueues::default();
        queues.create("known");
        let later = RefCell::new(Vec::new());
        let take = |is_wanted: fn(&Message) -> Option<Value>| {
            let sent = queues.take();
            let (now, not): (Vec<_>, Vec<_>) =
                sent.into_iter().partition(|message| is_wanted(message).is_some());
            later.borrow_mut().extend(not);
            now.iter().filter_map(is_wanted).collect::<Vec<_>>()
        };
        let received = async || {
            take(|message| match message {
                Message::Callback { body, .. } => Some(body.clone()),
                Message::Wake { .. } => None,
            })
        };
        let woken = async || {
            take(|message| match message {
                Message::Wake { delay_ms: 0, event } => Some(event.clone()),
                _ => None,
            })
        };
        super::suite(&queues, "known", received, woken).await;
        let later = later.into_inner();
        assert!(matches!(later[..], [Message::Wake { delay_ms: 900_000, .. }]), "{later:?}");
    }
}
