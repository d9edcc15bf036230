//! The queues port over SQS.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use serde_json::Value;
use sidestep_engine::ports::BoxError;
use sidestep_engine::ports::disk_full::DiskFull;
use sidestep_engine::ports::queues::{QueueError, Queues};

use crate::counter::Counter;
use crate::http::http_client;

/// The longest delay of a message, by SQS's limit
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
const LONGEST_DELAY_SECONDS: u64 = 900;

/// The message of the embedded SQS for a full disk, under the code `InternalFailure`.
const DISK_FULL: &str = "the disk is full";

/// [`Queues`] over SQS. Clones share one connection pool.
#[derive(Debug, Clone)]
pub struct SqsQueues {
    client: Client,
    /// The URL of the queue whose messages wake the planner.
    timers: Option<String>,
    /// The URL of the queue where the planner finds results.
    reports: Option<String>,
}

impl SqsQueues {
    /// Makes the adapter without any request. `timers` is the URL of the queue that wakes the
    /// planner.
    ///
    /// Without it nothing wakes the planner, and the sweep finds what is due.
    pub fn new(config: &SdkConfig, timers: Option<String>) -> Self {
        let builder = aws_sdk_sqs::config::Builder::from(config);
        let config = builder.http_client(http_client(config)).build();
        Self { client: Client::from_conf(config), timers, reports: None }
    }

    /// Returns the same adapter, with the URL of the queue where the planner finds results.
    pub fn reporting_to(self, reports: Option<String>) -> Self {
        Self { reports, ..self }
    }

    /// Returns the same adapter, with its requests counted.
    pub fn counted(&self, counter: &Counter) -> Self {
        let config = self.client.config().to_builder().interceptor(counter.clone());
        Self { client: Client::from_conf(config.build()), ..self.clone() }
    }

    /// Creates a queue with the name at the end of `queue_url`, unless it exists.
    pub async fn create(&self, queue_url: &str) -> Result<(), QueueError> {
        let name = queue_url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let created = self.client.create_queue().queue_name(name).send().await;
        match created {
            Ok(_) => Ok(()),
            // The queue exists with other settings.
            Err(error) if code(&error) == "QueueNameExists" => Ok(()),
            Err(error) => Err(classify(queue_url, error)),
        }
    }

    async fn put(&self, queue_url: &str, body: &Value, delay: u64) -> Result<(), QueueError> {
        let seconds = i32::try_from(delay).unwrap_or(i32::MAX);
        let send = self
            .client
            .send_message()
            .queue_url(queue_url)
            .message_body(body.to_string())
            .set_delay_seconds((seconds > 0).then_some(seconds));
        send.send().await.map(drop).map_err(|error| classify(queue_url, error))
    }
}

fn classify<E>(queue_url: &str, error: SdkError<E>) -> QueueError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let queue_url = queue_url.to_owned();
    let code = code(&error);
    if code.ends_with("QueueDoesNotExist") || code.ends_with("NonExistentQueue") {
        return QueueError::NotFound { queue_url };
    }
    let message = error.as_service_error().and_then(ProvideErrorMetadata::message);
    let is_disk_full = message == Some(DISK_FULL);
    let source: BoxError = Box::new(error);
    QueueError::Unavailable {
        queue_url,
        source: if is_disk_full { Box::new(DiskFull { source }) } else { source },
    }
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> &str {
    error.as_service_error().and_then(|error| error.code()).unwrap_or_default()
}

#[async_trait]
impl Queues for SqsQueues {
    async fn send(&self, queue_url: &str, body: &Value) -> Result<(), QueueError> {
        self.put(queue_url, body, 0).await
    }

    async fn later(&self, event: &Value, at_ms: u64, now_ms: u64) -> Result<(), QueueError> {
        let Some(timers) = &self.timers else { return Ok(()) };
        // The delay is rounded up, because a call that comes too early is only passed on.
        let delay = at_ms.saturating_sub(now_ms).div_ceil(1000).min(LONGEST_DELAY_SECONDS);
        self.put(timers, event, delay).await
    }

    async fn report(&self, event: &Value) -> Result<bool, QueueError> {
        let Some(reports) = &self.reports else { return Ok(false) };
        self.put(reports, event, 0).await?;
        Ok(true)
    }
}
