//! An event source: hands a queue's messages to a function, in Lambda's batches.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::api::wait_for;
use super::message::Received;
use super::store::Store;
use crate::account::REGION;
use crate::events::BoxError;

/// The most messages of a batch: Lambda's default.
const BATCH: usize = 10;
/// How many batches are handled at once.
const CONCURRENCY: usize = 8;
/// The time after which a queue that failed is read again.
const PAUSE: Duration = Duration::from_secs(1);
/// The time after which an empty queue is read again. Messages that are sent meanwhile are seen at
/// once.
const WAIT: Duration = Duration::from_mins(1);

/// A function that takes batches of messages.
#[async_trait]
pub trait BatchHandler: Send + Sync {
    /// Handles `{"Records": [...]}` and answers which messages failed.
    ///
    /// The answer is `{"batchItemFailures": [{"itemIdentifier": ID}]}`. After an error all of them
    /// come again.
    async fn handle(&self, batch: Value) -> Result<Value, BoxError>;
}

/// Hands messages over until the future is dropped.
pub(super) async fn hand_over(
    store: Arc<Store>,
    queue: String,
    arn: String,
    handler: Arc<dyn BatchHandler>,
) {
    let mut running = JoinSet::new();
    loop {
        while running.len() >= CONCURRENCY {
            running.join_next().await;
        }
        let messages = match wait_for(&store, &queue, BATCH, None, Instant::now() + WAIT).await {
            Ok(messages) => messages,
            Err(error) => {
                tracing::error!(%error, queue, "could not read the queue of an event source");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        while running.try_join_next().is_some() {}
        if messages.is_empty() {
            continue;
        }
        let (store, queue, arn) = (Arc::clone(&store), queue.clone(), arn.clone());
        let handler = Arc::clone(&handler);
        running.spawn(async move {
            if let Err(error) = deliver(&store, &queue, &arn, handler.as_ref(), messages).await {
                tracing::warn!(error, queue, "messages are left for another try");
            }
        });
    }
}

/// Hands one batch over and deletes the messages that were handled.
async fn deliver(
    store: &Arc<Store>,
    queue: &str,
    arn: &str,
    handler: &dyn BatchHandler,
    messages: Vec<Received>,
) -> Result<(), BoxError> {
    let records: Vec<_> = messages.iter().map(|message| message.to_record(arn, REGION)).collect();
    let answer = handler.handle(json!({ "Records": records })).await?;
    let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
    let failed: BTreeSet<_> =
        failures.filter_map(|failure| failure["itemIdentifier"].as_str()).collect();
    let done = messages.iter().filter(|message| !failed.contains(message.id.as_str()));
    let handles: Vec<_> = done.map(|message| message.receipt_handle.clone()).collect();
    let queue = queue.to_owned();
    Ok(store.run(move |store| store.delete_all(&queue, &handles)).await?)
}
