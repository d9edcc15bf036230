//! Changes of status as events on an EventBridge bus.
//!
//! The events have the form of SageMaker's own, but another source, because names that begin with
//! `aws.` are reserved for AWS. A change is sent once, after its commit. If the bus refuses it, the
//! planner logs that and goes on. A consumer that needs every change must read the table.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use sidestep_core::view::status_change::StatusChange;
use sidestep_engine::ports::BoxError;
use sidestep_engine::ports::watcher::Watcher;

use crate::http::http_client;

/// The source of every event.
pub const SOURCE: &str = "sidestep";
/// The most entries of one request, by EventBridge's limit
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).
const BATCH: usize = 10;
/// The time that one request may take with its retries. A commit's effects do not wait for it, but
/// the execution's next commit does.
const PATIENCE: Duration = Duration::from_secs(5);

/// Events that the bus refused, although it accepted the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event bus refused {count} of the events, the first with {code}: {message}")]
struct Refused {
    count: usize,
    code: String,
    message: String,
}

/// [`Watcher`] over EventBridge.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Client,
    name: String,
}

impl EventBus {
    /// Makes the adapter without any request. `name` is a bus of the account, such as `default`.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(PATIENCE).build();
        let builder = aws_sdk_eventbridge::config::Builder::from(config)
            .timeout_config(timeouts)
            .http_client(http_client(config));
        Self { client: Client::from_conf(builder.build()), name: name.into() }
    }

    fn entry(&self, change: &StatusChange) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(change.detail_type)
            .time(DateTime::from_millis(i64::try_from(change.at_ms).unwrap_or(i64::MAX)))
            .set_resources(Some(change.resources.to_vec()))
            .detail(change.detail.to_string())
            .build()
    }
}

#[async_trait]
impl Watcher for EventBus {
    async fn changed(&self, changes: &[StatusChange]) -> Result<(), BoxError> {
        let mut refused: Option<Refused> = None;
        for batch in changes.chunks(BATCH) {
            let entries = batch.iter().map(|change| self.entry(change)).collect();
            let put = self.client.put_events().set_entries(Some(entries)).send().await?;
            for entry in put.entries.unwrap_or_default() {
                let Some(code) = entry.error_code else { continue };
                let message = entry.error_message.unwrap_or_default();
                refused.get_or_insert(Refused { count: 0, code, message }).count += 1;
            }
        }
        refused.map_or(Ok(()), |refused| Err(refused.into()))
    }
}
