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
use super::error::SqsServerError;
use super::message::Received;
use super::store::Store;
use crate::account::REGION;
use crate::events::BoxError;

/// The most bytes of an event with its records: what Lambda takes, less some for the frame.
const EVENT_BYTES: usize = 6 * 1024 * 1024 - 1024;
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

/// How messages are put together.
#[derive(Debug, Clone, Copy)]
pub struct Batches {
    /// The most messages of a batch.
    pub size: usize,
    /// How long messages are collected. Zero hands over what is there.
    pub window: Duration,
    /// How many seconds messages are hidden at least while they are handled.
    pub least_visibility: u32,
}

impl Default for Batches {
    /// Returns Lambda's defaults.
    fn default() -> Self {
        Self { size: 10, window: Duration::ZERO, least_visibility: 0 }
    }
}

/// A queue whose messages are handed over.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) store: Arc<Store>,
    pub(super) queue: String,
    pub(super) arn: String,
    pub(super) batches: Batches,
}

impl Source {
    /// Hands messages over until the future is dropped.
    pub(super) async fn hand_over(self, handler: Arc<dyn BatchHandler>) {
        let mut running = JoinSet::new();
        loop {
            while running.len() >= CONCURRENCY {
                running.join_next().await;
            }
            let (messages, again) = match self.collect().await {
                Ok(collected) => collected,
                Err(error) => {
                    let queue = self.queue.as_str();
                    tracing::error!(%error, queue, "could not read the queue of an event source");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            while running.try_join_next().is_some() {}
            if messages.is_empty() {
                continue;
            }
            let (source, handler) = (self.clone(), Arc::clone(&handler));
            running.spawn(async move {
                for (messages, records) in source.events(messages) {
                    if let Err(error) = source.deliver(handler.as_ref(), &messages, records).await {
                        let queue = source.queue.as_str();
                        tracing::warn!(error, queue, "messages are left for another try");
                    }
                    source.show_again(&messages, again).await;
                }
            });
        }
    }

    /// Receives a batch, or nothing after a while, and when its failures are to come again.
    async fn collect(&self) -> Result<(Vec<Received>, Instant), SqsServerError> {
        let Self { store, queue, batches, .. } = self;
        let name = queue.clone();
        let settings = store.run(move |store| store.settings(&name)).await?;
        let visibility = Some(settings.visibility_timeout.max(batches.least_visibility));
        let end = Instant::now() + WAIT;
        let mut messages = wait_for(store, queue, batches.size, visibility, end).await?;
        let until = Instant::now() + batches.window;
        while !messages.is_empty() && messages.len() < batches.size && Instant::now() < until {
            let limit = batches.size - messages.len();
            messages.extend(wait_for(store, queue, limit, visibility, until).await?);
        }
        let again = Instant::now() + Duration::from_secs(settings.visibility_timeout.into());
        Ok((messages, again))
    }

    /// Puts messages together so that each event is small enough for a function.
    fn events(&self, messages: Vec<Received>) -> Vec<(Vec<Received>, Vec<Value>)> {
        let mut events: Vec<(Vec<Received>, Vec<Value>)> = Vec::new();
        let mut bytes = 0;
        for message in messages {
            let record = message.to_record(&self.arn, REGION);
            let size = record.to_string().len() + 1;
            bytes += size;
            match events.last_mut() {
                Some((messages, records)) if bytes <= EVENT_BYTES => {
                    messages.push(message);
                    records.push(record);
                }
                _ => {
                    bytes = size;
                    events.push((vec![message], vec![record]));
                }
            }
        }
        events
    }

    /// Hands one event over and deletes the messages that were handled.
    async fn deliver(
        &self,
        handler: &dyn BatchHandler,
        messages: &[Received],
        records: Vec<Value>,
    ) -> Result<(), BoxError> {
        let answer = handler.handle(json!({ "Records": records })).await?;
        let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
        let failed: BTreeSet<_> =
            failures.filter_map(|failure| failure["itemIdentifier"].as_str()).collect();
        let done = messages.iter().filter(|message| !failed.contains(message.id.as_str()));
        let handles: Vec<_> = done.map(|message| message.receipt_handle.clone()).collect();
        let queue = self.queue.clone();
        Ok(self.store.run(move |store| store.delete_all(&queue, &handles)).await?)
    }

    /// Lets what is left of a batch come again at the end of the queue's own visibility time-out.
    ///
    /// While the messages were handled they may have been hidden for longer.
    async fn show_again(&self, messages: &[Received], again: Instant) {
        let handles: Vec<_> = messages.iter().map(|it| it.receipt_handle.clone()).collect();
        let (queue, left) = (self.queue.clone(), again.saturating_duration_since(Instant::now()));
        let seconds = u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        let shown = self.store.run(move |store| {
            for handle in handles {
                match store.change_visibility(&queue, &handle, seconds) {
                    // It was handled and deleted, or is visible already.
                    Ok(()) | Err(SqsServerError::MessageNotInflight) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        if let Err(error) = shown.await {
            tracing::warn!(%error, queue = self.queue, "messages stay hidden for longer");
        }
    }
}
