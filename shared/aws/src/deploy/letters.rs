//! Dead letters: how many lie in a queue, and sending them again.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

use super::error::{DeployError, code, service};

/// How often a running move is looked at.
const POLL: Duration = Duration::from_secs(1);
/// How an endpoint says that it cannot move messages by itself.
const UNKNOWN: [&str; 4] =
    ["InvalidAction", "UnknownOperationException", "NotImplemented", "UnknownOperation"];

/// The queues of an account and region.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
}

impl DeadLetters {
    /// Makes the adapter without any request.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// About how many messages wait in a queue; a message that was just handed out is not among them.
    pub async fn waiting(&self, queue_name: &str) -> Result<u64, DeployError> {
        let (_, _, waiting) = self.look(queue_name).await?;
        Ok(waiting)
    }

    /// Sends a message.
    pub async fn send(&self, queue_name: &str, body: &str) -> Result<(), DeployError> {
        let (url, _, _) = self.look(queue_name).await?;
        let sent = self.client.send_message().queue_url(url).message_body(body).send().await;
        sent.map(drop).map_err(service("send to queue", queue_name))
    }

    /// Moves the messages of queue `from` to queue `to`, and returns how many. Stopped half-way: each is in one of the two, or in both.
    pub async fn redrive(&self, from: &str, to: &str) -> Result<u64, DeployError> {
        let (from_url, from_arn, _) = self.look(from).await?;
        let (to_url, to_arn, _) = self.look(to).await?;
        let start = self.client.start_message_move_task().source_arn(&from_arn);
        match start.destination_arn(to_arn).send().await {
            Ok(_) => self.moved(from, &from_arn).await,
            Err(error) if code(&error).is_some_and(|code| UNKNOWN.contains(&code)) => {
                self.carry(from, &from_url, &to_url).await
            }
            Err(error) => Err(service("move the messages of queue", from)(error)),
        }
    }

    /// Waits for the end of the move that was begun last.
    async fn moved(&self, name: &str, arn: &str) -> Result<u64, DeployError> {
        loop {
            let listed = self.client.list_message_move_tasks().source_arn(arn).max_results(1);
            let listed = listed.send().await.map_err(service("look at the move of queue", name))?;
            let Some(task) = listed.results().first() else { return Ok(0) };
            let moved = u64::try_from(task.approximate_number_of_messages_moved()).unwrap_or(0);
            match task.status() {
                Some("RUNNING" | "CANCELLING") => tokio::time::sleep(POLL).await,
                Some("FAILED") => {
                    return Err(DeployError::Refused {
                        stack: name.to_owned(),
                        reason: task.failure_reason().unwrap_or("the move failed").to_owned(),
                    });
                }
                _ => return Ok(moved),
            }
        }
    }

    /// Carries message by message: sent before it is deleted, so that none is lost.
    async fn carry(&self, name: &str, from: &str, to: &str) -> Result<u64, DeployError> {
        let mut carried = 0;
        loop {
            let receive = self.client.receive_message().queue_url(from).max_number_of_messages(10);
            let received = receive.wait_time_seconds(1).send().await;
            let received = received.map_err(service("receive from queue", name))?;
            if received.messages().is_empty() {
                return Ok(carried);
            }
            for message in received.messages() {
                let send = self.client.send_message().queue_url(to);
                let sent = send.message_body(message.body().unwrap_or_default()).send().await;
                sent.map_err(service("move the messages of queue", name))?;
                let delete = self.client.delete_message().queue_url(from);
                let deleted =
                    delete.set_receipt_handle(message.receipt_handle.clone()).send().await;
                deleted.map_err(service("delete from queue", name))?;
                carried += 1;
            }
        }
    }

    /// URL, ARN and about how many messages wait.
    async fn look(&self, name: &str) -> Result<(String, String, u64), DeployError> {
        let url = self.client.get_queue_url().queue_name(name).send().await;
        let url = url.map_err(service("find queue", name))?.queue_url.unwrap_or_default();
        let waiting = QueueAttributeName::ApproximateNumberOfMessages;
        let ask = self.client.get_queue_attributes().queue_url(&url);
        let ask =
            ask.attribute_names(QueueAttributeName::QueueArn).attribute_names(waiting.clone());
        let found = ask.send().await.map_err(service("look at queue", name))?;
        let found = found.attributes.unwrap_or_default();
        let arn = found.get(&QueueAttributeName::QueueArn).cloned().unwrap_or_default();
        let waiting = found.get(&waiting).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok((url, arn, waiting))
    }
}
