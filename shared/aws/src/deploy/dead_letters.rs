//! Dead letters: how many are in a queue, and sending them again.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

use super::error::{DeployError, code, service};

/// The pause between two looks at a running move.
const POLL: Duration = Duration::from_secs(1);
/// The codes of an endpoint that cannot move messages by itself.
const UNKNOWN: [&str; 4] =
    ["InvalidAction", "UnknownOperationException", "NotImplemented", "UnknownOperation"];

/// The queues of an account and region.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
}

struct Attributes {
    url: String,
    arn: String,
    /// About how many messages wait.
    waiting: u64,
}

impl DeadLetters {
    /// Makes the adapter without any request.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// Returns about how many messages wait in a queue. A message that was just received does not
    /// count.
    pub async fn waiting(&self, queue_name: &str) -> Result<u64, DeployError> {
        Ok(self.attributes(queue_name).await?.waiting)
    }

    /// Sends a message.
    pub async fn send(&self, queue_name: &str, body: &str) -> Result<(), DeployError> {
        let url = self.attributes(queue_name).await?.url;
        let sent = self.client.send_message().queue_url(url).message_body(body).send().await;
        sent.map(drop).map_err(service("send to queue", queue_name))
    }

    /// Moves the messages of queue `from` to queue `to`, and returns how many.
    ///
    /// If this is stopped half-way, each message is in one of the two queues, or in both.
    pub async fn redrive(&self, from: &str, to: &str) -> Result<u64, DeployError> {
        let source = self.attributes(from).await?;
        let target = self.attributes(to).await?;
        let start = self.client.start_message_move_task().source_arn(&source.arn);
        match start.destination_arn(target.arn).send().await {
            Ok(_) => self.wait_for_move(from, &source.arn).await,
            Err(error) if code(&error).is_some_and(|code| UNKNOWN.contains(&code)) => {
                self.move_one_by_one(from, &source.url, &target.url).await
            }
            Err(error) => Err(service("move the messages of queue", from)(error)),
        }
    }

    /// Waits for the end of the latest move, and returns how many messages it moved.
    async fn wait_for_move(&self, name: &str, arn: &str) -> Result<u64, DeployError> {
        loop {
            let list = self.client.list_message_move_tasks().source_arn(arn).max_results(1);
            let listed = list.send().await.map_err(service("look at the move of queue", name))?;
            let Some(task) = listed.results().first() else { return Ok(0) };
            match task.status() {
                Some("RUNNING" | "CANCELLING") => tokio::time::sleep(POLL).await,
                Some("FAILED") => {
                    return Err(DeployError::Refused {
                        stack: name.to_owned(),
                        reason: task.failure_reason().unwrap_or("the move failed").to_owned(),
                    });
                }
                _ => {
                    let moved = task.approximate_number_of_messages_moved();
                    return Ok(u64::try_from(moved).unwrap_or(0));
                }
            }
        }
    }

    /// Moves one message at a time. Each is sent before it is deleted, so none is lost.
    async fn move_one_by_one(&self, name: &str, from: &str, to: &str) -> Result<u64, DeployError> {
        let mut moved = 0;
        loop {
            let receive = self.client.receive_message().queue_url(from).max_number_of_messages(10);
            let received = receive.wait_time_seconds(1).send().await;
            let batch = received.map_err(service("receive from queue", name))?;
            if batch.messages().is_empty() {
                return Ok(moved);
            }
            for message in batch.messages() {
                let send = self.client.send_message().queue_url(to);
                let sent = send.message_body(message.body().unwrap_or_default()).send().await;
                sent.map_err(service("move the messages of queue", name))?;
                let delete = self.client.delete_message().queue_url(from);
                let deleted =
                    delete.set_receipt_handle(message.receipt_handle.clone()).send().await;
                deleted.map_err(service("delete from queue", name))?;
                moved += 1;
            }
        }
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, DeployError> {
        let found = self.client.get_queue_url().queue_name(name).send().await;
        let url = found.map_err(service("find queue", name))?.queue_url.unwrap_or_default();
        let ask = self
            .client
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(QueueAttributeName::QueueArn)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages);
        let answer = ask.send().await.map_err(service("look at queue", name))?;
        let text = |attribute| answer.attributes()?.get(&attribute);
        let waiting = text(QueueAttributeName::ApproximateNumberOfMessages);
        Ok(Attributes {
            arn: text(QueueAttributeName::QueueArn).cloned().unwrap_or_default(),
            waiting: waiting.and_then(|text| text.parse().ok()).unwrap_or(0),
            url,
        })
    }
}
