//! Delivers the events of the outbox, many at once, and tries again those that failed.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use serde_json::Value;
pub use sidestep_engine::ports::BoxError;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::FunctionNotification;
use super::record::event;
use crate::s3::{S3ServerError, Store};

/// How many events are delivered at once.
const DELIVERIES_MAX: usize = 64;
/// The wait before a failed event is tried again; it doubles with each failure.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// The longest wait before a failed event is tried again.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Takes events for functions.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Delivers `event` to a function.
    ///
    /// Returns once the function is certain to be invoked: then the event is forgotten. After an
    /// error it is delivered again, later and later up to every 30 s. A function may see one event
    /// twice.
    async fn deliver(&self, function_arn: &str, event: Value) -> Result<(), BoxError>;
}

/// An event in the outbox, and the notifications that ask for it now.
#[derive(Debug)]
pub(crate) struct Undelivered {
    pub(crate) sequence: i64,
    pub(crate) record: Value,
    pub(crate) notifications: Vec<FunctionNotification>,
}

/// An event that failed and waits for its next attempt, ordered by the time when it is due.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Retry {
    due: Instant,
    sequence: i64,
    failures: u32,
}

/// Delivers events until the future is dropped. Events that are not delivered stay in the outbox.
pub(crate) async fn dispatch(store: Arc<Store>, sink: Arc<dyn EventSink>) {
    let mut written = store.undelivered.subscribe();
    let mut deliveries: JoinSet<Option<Retry>> = JoinSet::new();
    let mut retries: BTreeSet<Retry> = BTreeSet::new();
    let mut next_sequence = 0;
    loop {
        written.mark_unchanged();
        let is_exhausted = loop {
            let room = DELIVERIES_MAX - deliveries.len();
            if room == 0 {
                break true;
            }
            let (first, limit, failures) = match retries.first() {
                Some(retry) if retry.due <= Instant::now() => (retry.sequence, 1, retry.failures),
                _ => (next_sequence, room, 0),
            };
            let found = match store.run(move |store| store.undelivered_from(first, limit)).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(%error, "could not read the outbox of S3 events");
                    break false;
                }
            };
            if failures > 0 {
                retries.pop_first();
            } else if found.is_empty() {
                break true;
            }
            for undelivered in found {
                if failures > 0 && undelivered.sequence != first {
                    continue; // the one to retry is gone, this is another
                }
                next_sequence = next_sequence.max(undelivered.sequence + 1);
                let (store, sink) = (Arc::clone(&store), Arc::clone(&sink));
                deliveries.spawn(deliver(store, sink, undelivered, failures));
            }
        };

        let due = match retries.first() {
            _ if !is_exhausted => Some(Instant::now() + RETRY_MAX),
            _ if deliveries.len() == DELIVERIES_MAX => None,
            first => first.map(|retry| retry.due),
        };
        tokio::select! {
            Some(delivered) = deliveries.join_next() => {
                retries.extend(delivered.ok().flatten());
            }
            // The sender lives as long as the store, which this task holds.
            _ = written.changed() => {}
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
    }
}

/// Delivers one event to every function that asks for it.
///
/// Returns when to try again if one of them did not take it.
async fn deliver(
    store: Arc<Store>,
    sink: Arc<dyn EventSink>,
    undelivered: Undelivered,
    failures: u32,
) -> Option<Retry> {
    let sequence = undelivered.sequence;
    let attempt =
        AssertUnwindSafe(attempt(&store, sink.as_ref(), undelivered)).catch_unwind().await;
    let error: BoxError = match attempt {
        Ok(Ok(())) => return None,
        Ok(Err(error)) => error,
        Err(_) => "the sink panicked".into(),
    };
    let delay = RETRY_MAX.min(RETRY_FIRST.saturating_mul(2_u32.saturating_pow(failures)));
    tracing::warn!(sequence, failures, %error, ?delay, "could not deliver an S3 event, will try again");
    Some(Retry { due: Instant::now() + delay, sequence, failures: failures + 1 })
}

/// Delivers one event once, and removes it from the outbox if every function took it.
async fn attempt(
    store: &Arc<Store>,
    sink: &dyn EventSink,
    undelivered: Undelivered,
) -> Result<(), BoxError> {
    let sequence = undelivered.sequence;
    for notification in &undelivered.notifications {
        let event = event(&undelivered.record, &notification.id, sequence);
        sink.deliver(&notification.function_arn, event).await?;
    }
    let removed: Result<(), S3ServerError> =
        store.run(move |store| store.remove_event(sequence)).await;
    Ok(removed?)
}
