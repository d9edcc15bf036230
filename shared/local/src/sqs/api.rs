//! The operations of SQS: one JSON document in, one out.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::batch;
use super::error::SqsServerError;
use super::message::Received;
use super::queue::{QueueSettings, WAIT_SECONDS, check_name, in_range, name_of};
use super::request::{
    Change, Create, GetAttributes, Handle, List, Named, Queue, Receive, Send, SetAttributes, read,
    visibility_seconds,
};
use super::store::{QueueState, Store};
use crate::account::{ACCOUNT_ID, REGION};
use crate::s3::now_ms;

/// The most messages of one receive, by SQS's limit.
const RECEIVED: i64 = 10;

/// Performs one operation.
pub(super) async fn perform(
    store: &Arc<Store>,
    operation: &str,
    request: Value,
) -> Result<Value, SqsServerError> {
    if operation == "ReceiveMessage" {
        return receive(store, read(request)?).await;
    }
    let operation = operation.to_owned();
    store.run(move |store| perform_now(store, &operation, request)).await
}

/// Performs an operation that does not wait for messages.
fn perform_now(store: &Store, operation: &str, request: Value) -> Result<Value, SqsServerError> {
    match operation {
        "CreateQueue" => create(store, &read(request)?),
        "GetQueueUrl" => {
            let Named { queue_name } = read(request)?;
            store.settings(&queue_name)?;
            Ok(json!({ "QueueUrl": store.url(&queue_name) }))
        }
        "ListQueues" => {
            let List { queue_name_prefix } = read(request)?;
            let names = store.names(&queue_name_prefix.unwrap_or_default())?;
            let urls: Vec<_> = names.iter().map(|name| store.url(name)).collect();
            Ok(if urls.is_empty() { json!({}) } else { json!({ "QueueUrls": urls }) })
        }
        "GetQueueAttributes" => get_attributes(store, &read(request)?),
        "SetQueueAttributes" => {
            let SetAttributes { queue_url, attributes } = read(request)?;
            store.set_settings(name_of(&queue_url), |settings| settings.with(&attributes))?;
            Ok(json!({}))
        }
        "SendMessage" => {
            let Send { queue_url, message } = read(request)?;
            Ok(Value::Object(store.send(name_of(&queue_url), &message.into())?.to_json()))
        }
        "DeleteMessage" => {
            let Handle { queue_url, receipt_handle } = read(request)?;
            store.delete(name_of(&queue_url), &receipt_handle)?;
            Ok(json!({}))
        }
        "ChangeMessageVisibility" => {
            let Change { queue_url, receipt_handle, visibility_timeout } = read(request)?;
            let seconds = visibility_seconds(visibility_timeout)?;
            store.change_visibility(name_of(&queue_url), &receipt_handle, seconds)?;
            Ok(json!({}))
        }
        "SendMessageBatch" | "DeleteMessageBatch" | "ChangeMessageVisibilityBatch" => {
            batch::perform(store, operation, request)
        }
        "PurgeQueue" => {
            let Queue { queue_url } = read(request)?;
            store.purge(name_of(&queue_url))?;
            Ok(json!({}))
        }
        "DeleteQueue" => {
            let Queue { queue_url } = read(request)?;
            store.delete_queue(name_of(&queue_url))?;
            Ok(json!({}))
        }
        other => Err(SqsServerError::UnknownOperation(other.chars().take(80).collect())),
    }
}

/// Creates a queue.
fn create(store: &Store, request: &Create) -> Result<Value, SqsServerError> {
    let name = check_name(&request.queue_name)?;
    // Attributes that a repeat leaves out are not compared, as in SQS.
    let base = match store.settings(name) {
        Ok(found) => found,
        Err(SqsServerError::QueueDoesNotExist { .. }) => QueueSettings::default(),
        Err(error) => return Err(error),
    };
    store.create_queue(name, base.with(&request.attributes)?)?;
    Ok(json!({ "QueueUrl": store.url(name) }))
}

/// Returns the attributes that the request asks for.
fn get_attributes(store: &Store, request: &GetAttributes) -> Result<Value, SqsServerError> {
    let name = name_of(&request.queue_url);
    let QueueState { settings, created_ms, visible, in_flight, delayed } = store.state(name)?;
    let Ok(Value::Object(settings)) = serde_json::to_value(settings) else {
        return Ok(json!({}));
    };
    let own = [
        ("ApproximateNumberOfMessages", visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
        ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
        ("CreatedTimestamp", (created_ms / 1000).to_string()),
        ("QueueArn", format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}")),
    ];
    let mut all: BTreeMap<String, String> =
        settings.into_iter().map(|(name, value)| (name, value.to_string())).collect();
    all.extend(own.map(|(name, value)| (name.to_owned(), value)));
    let asked = &request.attribute_names;
    for name in asked {
        if name != "All" && !all.contains_key(name) {
            return Err(SqsServerError::InvalidAttributeName { name: name.clone() });
        }
    }
    all.retain(|name, _| asked.iter().any(|wanted| wanted == "All" || wanted == name));
    Ok(if all.is_empty() { json!({}) } else { json!({ "Attributes": all }) })
}

/// Receives messages, waiting for them as long as the request or the queue says.
async fn receive(store: &Arc<Store>, request: Receive) -> Result<Value, SqsServerError> {
    let asked = request.max_number_of_messages.unwrap_or(1);
    let limit = usize::try_from(asked)
        .ok()
        .filter(|_| (1..=RECEIVED).contains(&asked))
        .ok_or_else(|| SqsServerError::InvalidParameterValue {
            parameter: "MaxNumberOfMessages".to_owned(),
            why: format!("it is not from 1 to {RECEIVED}"),
        })?;
    let visibility = request.visibility_timeout.map(visibility_seconds).transpose()?;
    let name = name_of(&request.queue_url).to_owned();
    let settings = {
        let name = name.clone();
        store.run(move |store| store.settings(&name)).await?
    };
    let default = settings.receive_message_wait_time_seconds;
    let wait = in_range("WaitTimeSeconds", request.wait_time_seconds, default, WAIT_SECONDS)?;
    let until = Instant::now() + Duration::from_secs(wait.into());
    let received = wait_for(store, &name, limit, visibility, until).await?;
    if received.is_empty() {
        return Ok(json!({}));
    }
    let system = [request.attribute_names, request.message_system_attribute_names].concat();
    let attributes = request.message_attribute_names;
    let messages: Vec<_> =
        received.iter().map(|message| message.to_json(&system, &attributes)).collect();
    Ok(json!({ "Messages": messages }))
}

/// Receives messages as soon as there are some, or none at `until`.
pub(super) async fn wait_for(
    store: &Arc<Store>,
    name: &str,
    limit: usize,
    visibility: Option<u32>,
    until: Instant,
) -> Result<Vec<Received>, SqsServerError> {
    let mut changes = store.changes();
    loop {
        changes.mark_unchanged();
        let queue = name.to_owned();
        let (received, next_ms) = store
            .run(move |store| {
                let received = store.receive(&queue, limit, visibility)?;
                let next = if received.is_empty() { store.next_visible_ms(&queue)? } else { None };
                Ok((received, next))
            })
            .await?;
        if !received.is_empty() || Instant::now() >= until {
            return Ok(received);
        }
        let due = next_ms.map(|next_ms| {
            let wait = u64::try_from(next_ms - now_ms()).unwrap_or_default();
            Instant::now() + Duration::from_millis(wait)
        });
        // The queue is looked at again after either: a change, or the time when a message becomes
        // visible.
        let _ = timeout_at(due.map_or(until, |due| due.min(until)), changes.changed()).await;
    }
}
