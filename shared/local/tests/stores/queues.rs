//! The embedded SQS through the AWS SDK, and through bare HTTP where the SDK hides the wire.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry,
};
use serde_json::{Value, json};
use sidestep_local::events::BoxError;
use sidestep_local::sqs::{BatchHandler, Batches, QueueSettings, SqsServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::cloud::{ACCOUNT, REGION, soon};

struct Queues {
    server: SqsServer,
    client: Client,
    address: SocketAddr,
}

impl Queues {
    async fn serve(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endpoint = format!("http://{address}");
        let server = SqsServer::open(&folder.join("sqs.sqlite"), &endpoint, ACCOUNT).unwrap();
        let served = server.clone();
        tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(sidestep_aws::plain_http_client())
            .endpoint_url(endpoint)
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("any", "thing", None, None, "test"))
            .build();
        Self { server, client: Client::from_conf(config), address }
    }

    async fn create(&self, attributes: &[(QueueAttributeName, &str)]) -> String {
        let mut create = self.client.create_queue().queue_name("queue");
        for (name, value) in attributes {
            create = create.attributes(name.clone(), *value);
        }
        create.send().await.unwrap().queue_url.unwrap()
    }

    async fn send(&self, url: &str, body: &str) {
        self.client.send_message().queue_url(url).message_body(body).send().await.unwrap();
    }

    /// Receives what is there or comes within `wait` seconds: bodies and receipt handles.
    async fn receive(&self, url: &str, wait: i32) -> Vec<(String, String)> {
        let receive = self.client.receive_message().queue_url(url).max_number_of_messages(10);
        let messages = receive.wait_time_seconds(wait).send().await.unwrap().messages;
        let pair = |message: aws_sdk_sqs::types::Message| {
            (message.body.unwrap(), message.receipt_handle.unwrap())
        };
        messages.unwrap_or_default().into_iter().map(pair).collect()
    }
}

fn code<E: ProvideErrorMetadata + std::fmt::Debug>(error: &SdkError<E>) -> String {
    error.code().unwrap_or_else(|| panic!("no answer: {error:?}")).to_owned()
}

#[tokio::test]
async fn a_message_goes_through_with_its_attributes_and_digests() {
    let folder = tempfile::tempdir().unwrap();
    let queues = Queues::serve(folder.path()).await;
    let url = queues.create(&[]).await;
    assert_eq!(url, format!("http://{}/{ACCOUNT}/queue", queues.address));
    let attribute =
        MessageAttributeValue::builder().data_type("String").string_value("b").build().unwrap();
    let sent = queues
        .client
        .send_message()
        .queue_url(&url)
        .message_body("hello")
        .message_attributes("a", attribute)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("5d41402abc4b2a76b9719d911017c592"));
    assert!(sent.md5_of_message_attributes().is_some());

    let receive = queues
        .client
        .receive_message()
        .queue_url(&url)
        .message_attribute_names("All")
        .message_system_attribute_names(MessageSystemAttributeName::All);
    let message = receive.send().await.unwrap().messages.unwrap().remove(0);
    assert_eq!(message.md5_of_body, sent.md5_of_message_body);
    assert_eq!(message.md5_of_message_attributes, sent.md5_of_message_attributes);
    assert_eq!(message.message_id, sent.message_id);
    assert_eq!(message.message_attributes.unwrap()["a"].string_value(), Some("b"));
    let count = MessageSystemAttributeName::ApproximateReceiveCount;
    assert_eq!(message.attributes.unwrap()[&count], "1");
}

#[tokio::test]
async fn a_message_is_hidden_while_it_is_held_and_gone_when_it_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let queues = Queues::serve(folder.path()).await;
    let url = queues.create(&[]).await;
    queues.send(&url, "m").await;
    let held = queues.receive(&url, 0).await;
    assert_eq!(held[0].0, "m");
    assert_eq!(queues.receive(&url, 0).await, []);
    let counts = queues
        .client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap();
    assert_eq!(counts[&QueueAttributeName::ApproximateNumberOfMessagesNotVisible], "1");
    assert_eq!(counts[&QueueAttributeName::ApproximateNumberOfMessages], "0");

    let delete = queues.client.delete_message().queue_url(&url).receipt_handle(&held[0].1);
    delete.send().await.unwrap();
    let change = queues
        .client
        .change_message_visibility()
        .queue_url(&url)
        .receipt_handle(&held[0].1)
        .visibility_timeout(0)
        .send()
        .await;
    assert!(code(&change.unwrap_err()).ends_with("MessageNotInflight"));
    assert_eq!(queues.receive(&url, 0).await, []);
}

#[tokio::test]
async fn a_message_that_is_not_deleted_comes_back_and_its_old_receipt_deletes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let queues = Queues::serve(folder.path()).await;
    let url = queues.create(&[(QueueAttributeName::VisibilityTimeout, "1")]).await;
    queues.send(&url, "m").await;
    let first = queues.receive(&url, 0).await.remove(0);
    let second = soon(queues.receive(&url, 20)).await.remove(0);
    assert_eq!(second.0, "m");
    queues.client.delete_message().queue_url(&url).receipt_handle(&first.1).send().await.unwrap();
    let change = queues.client.change_message_visibility().queue_url(&url);
    change.receipt_handle(&second.1).visibility_timeout(0).send().await.unwrap();
    assert_eq!(queues.receive(&url, 0).await[0].0, "m", "given back at once");
}

#[tokio::test]
async fn a_delayed_message_is_never_delivered_before_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let queues = Queues::serve(folder.path()).await;
    let url = queues.create(&[(QueueAttributeName::DelaySeconds, "1")]).await;
    queues.send(&url, "m").await;
    assert_eq!(queues.receive(&url, 0).await, []);
    let receive = queues
        .client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20)
        .message_system_attribute_names(MessageSystemAttributeName::All);
    let message = soon(receive.send()).await.unwrap().messages.unwrap().remove(0);
    let attributes = message.attributes.unwrap();
    let at = |name: &MessageSystemAttributeName| attributes[name].parse::<u64>().unwrap();
    let received = at(&MessageSystemAttributeName::ApproximateFirstReceiveTimestamp);
    assert!(received >= at(&MessageSystemAttributeName::SentTimestamp) + 1000, "{attributes:?}");
}

#[tokio::test]
async fn who_waits_for_a_message_gets_it_when_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let queues = Queues::serve(folder.path()).await;
    let url = queues.create(&[]).await;
    let (received, ()) = tokio::join!(soon(queues.receive(&url, 20)), queues.send(&url, "m"));
    assert_eq!(received[0].0, "m");
}

#[tokio::test]
async fn queues_and_messages_outlive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let first = Queues::serve(folder.path()).await;
    let url = first.create(&[(QueueAttributeName::VisibilityTimeout, "77")]).await;
    first.send(&url, "m").await;
    // At another address the queue is found by the end of its old URL, or of one on AWS.
    let second = Queues::serve(folder.path()).await;
    assert_eq!(second.receive(&url, 0).await[0].0, "m");
    let elsewhere = "https://sqs.us-east-1.amazonaws.com/123456789012/queue";
    second.send(elsewhere, "n").await;
    assert_eq!(second.receive(elsewhere, 0).await[0].0, "n");
    let listed = second.client.list_queues().queue_name_prefix("que").send().await.unwrap();
    assert_eq!(listed.queue_urls.unwrap().len(), 1);
    second.client.purge_queue().queue_url(&url).send().await.unwrap();
    second.client.delete_queue().queue_url(&url).send().await.unwrap();
    assert_eq!(second.client.list_queues().send().await.unwrap().queue_urls, None);
}

#[tokio::test]
async fn a_batch_answers_for_each_of_its_entries() {
    let folder = tempfile::tempdir().unwrap();
    let queues = Queues::serve(folder.path()).await;
    let url = queues.create(&[]).await;
    let entry = |id: &str, delay: i32| {
        let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(id);
        entry.delay_seconds(delay).build().unwrap()
    };
    let send = |entries| {
        queues.client.send_message_batch().queue_url(&url).set_entries(Some(entries)).send()
    };
    let sent = send(vec![entry("a", 0), entry("b", 901)]).await.unwrap();
    assert_eq!(sent.successful()[0].id(), "a");
    let failed = &sent.failed()[0];
    assert_eq!((failed.id(), failed.code()), ("b", "InvalidParameterValue"));
    assert!(failed.sender_fault());
    for (entries, expected) in [
        (vec![], "EmptyBatchRequest"),
        (vec![entry("a", 0), entry("a", 0)], "BatchEntryIdsNotDistinct"),
        ((0..11).map(|id| entry(&id.to_string(), 0)).collect(), "TooManyEntriesInBatchRequest"),
    ] {
        assert!(code(&send(entries).await.unwrap_err()).ends_with(expected), "{expected}");
    }
    let held = queues.receive(&url, 0).await;
    let entry = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let delete = queues
        .client
        .delete_message_batch()
        .queue_url(&url)
        .entries(entry("1", &held[0].1))
        .entries(entry("2", "forged"));
    let deleted = delete.send().await.unwrap();
    assert_eq!(deleted.successful().len(), 1);
    assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_sqs_own_codes() {
    let folder = tempfile::tempdir().unwrap();
    let queues = Queues::serve(folder.path()).await;
    let url = queues.create(&[(QueueAttributeName::DelaySeconds, "5")]).await;
    let absent = queues.client.get_queue_url().queue_name("absent").send().await.unwrap_err();
    assert!(absent.as_service_error().unwrap().is_queue_does_not_exist(), "{absent:?}");
    let other = queues
        .client
        .create_queue()
        .queue_name("queue")
        .attributes(QueueAttributeName::DelaySeconds, "6")
        .send()
        .await
        .unwrap_err();
    assert!(other.as_service_error().unwrap().is_queue_name_exists(), "{other:?}");
    queues.client.create_queue().queue_name("queue").send().await.unwrap();
    let empty = queues.client.send_message().queue_url(&url).message_body("").send().await;
    assert!(code(&empty.unwrap_err()).contains("InvalidParameterValue"));
    let name = queues.client.create_queue().queue_name("a b").send().await;
    assert!(code(&name.unwrap_err()).contains("InvalidParameterValue"));
}

#[tokio::test]
async fn an_error_names_its_shape_and_the_older_protocols_code() {
    let folder = tempfile::tempdir().unwrap();
    let queues = Queues::serve(folder.path()).await;
    let mut stream = TcpStream::connect(queues.address).await.unwrap();
    let body = r#"{"QueueName":"absent"}"#;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: AmazonSQS.GetQueueUrl\r\n\
         Content-Type: application/x-amz-json-1.0\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let header = "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender";
    assert!(answer.contains(header), "{answer}");
    assert!(answer.contains("\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\""), "{answer}");
}

/// Fails a message the first time it sees it.
struct Flaky(mpsc::UnboundedSender<(String, bool)>);

#[async_trait]
impl BatchHandler for Flaky {
    async fn handle(&self, batch: Value) -> Result<Value, BoxError> {
        let mut failures = Vec::new();
        for record in batch["Records"].as_array().unwrap() {
            assert_eq!(record["eventSource"], "aws:sqs");
            let is_first = record["attributes"]["ApproximateReceiveCount"] == "1";
            let fails = is_first && record["body"] == "bad";
            if fails {
                failures.push(json!({ "itemIdentifier": record["messageId"] }));
            }
            self.0.send((record["body"].as_str().unwrap().to_owned(), fails))?;
        }
        Ok(json!({ "batchItemFailures": failures }))
    }
}

#[tokio::test]
async fn a_function_gets_a_queues_messages_and_those_it_fails_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let queues = Queues::serve(folder.path()).await;
    let settings = QueueSettings { visibility_timeout: 1, ..QueueSettings::default() };
    let url = queues.server.create_queue("queue", settings).await.unwrap();
    let (sender, mut seen) = mpsc::unbounded_channel();
    let (server, handler) = (queues.server.clone(), Arc::new(Flaky(sender)));
    // What a function fails does not wait for the time in which it might have worked.
    let batches = Batches { least_visibility: 3_600, ..Batches::default() };
    let source =
        tokio::spawn(async move { server.hand_over("queue", "arn", batches, handler).await });
    queues.send(&url, "good").await;
    queues.send(&url, "bad").await;
    let mut all = Vec::new();
    while all.len() < 3 {
        all.push(soon(seen.recv()).await.unwrap());
    }
    all.sort();
    let expected = [("bad", false), ("bad", true), ("good", false)];
    assert_eq!(all, expected.map(|(body, failed)| (body.to_owned(), failed)));
    source.abort();
}
