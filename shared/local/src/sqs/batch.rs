//! Operations on up to ten messages at once: each entry succeeds or fails by itself.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::SqsServerError;
use super::queue::name_of;
use super::request::{Message, read, visibility_seconds};
use super::store::Store;

/// The most entries of a batch, by SQS's limit.
const ENTRIES: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    queue_url: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delete {
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    receipt_handle: String,
    visibility_timeout: i64,
}

/// Performs a batch operation.
pub(super) fn perform(
    store: &Store,
    operation: &str,
    request: Value,
) -> Result<Value, SqsServerError> {
    let Batch { queue_url, entries } = read(request)?;
    let queue = name_of(&queue_url);
    store.settings(queue)?;
    if entries.is_empty() {
        return Err(SqsServerError::EmptyBatchRequest);
    }
    if entries.len() > ENTRIES {
        return Err(SqsServerError::TooManyEntries { count: entries.len() });
    }
    let mut ids = BTreeSet::new();
    if let Some(twice) = entries.iter().find(|entry| !ids.insert(entry.id.as_str())) {
        return Err(SqsServerError::IdsNotDistinct { id: twice.id.clone() });
    }
    let (mut successful, mut refused) = (Vec::new(), Vec::new());
    for Entry { id, rest } in entries {
        match one(store, operation, queue, Value::Object(rest)) {
            Ok(mut answer) => {
                answer.insert("Id".to_owned(), json!(id));
                successful.push(answer);
            }
            Err(error) if error.is_senders() => refused.push(failed(&id, &error)),
            // The whole request fails, because no single entry can be blamed.
            Err(error) => return Err(error),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": refused }))
}

/// Performs one entry and returns its answer.
fn one(
    store: &Store,
    operation: &str,
    queue: &str,
    entry: Value,
) -> Result<Map<String, Value>, SqsServerError> {
    match operation {
        "SendMessageBatch" => {
            let message: Message = read(entry)?;
            Ok(store.send(queue, &message.into())?.to_json())
        }
        "DeleteMessageBatch" => {
            let Delete { receipt_handle } = read(entry)?;
            store.delete(queue, &receipt_handle)?;
            Ok(Map::new())
        }
        _ => {
            let Change { receipt_handle, visibility_timeout } = read(entry)?;
            let seconds = visibility_seconds(visibility_timeout)?;
            store.change_visibility(queue, &receipt_handle, seconds)?;
            Ok(Map::new())
        }
    }
}

/// Returns the answer for an entry that failed.
fn failed(id: &str, error: &SqsServerError) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("Id".to_owned(), json!(id));
    entry.insert("Code".to_owned(), json!(error.codes().1));
    entry.insert("Message".to_owned(), json!(error.to_string()));
    entry.insert("SenderFault".to_owned(), json!(error.is_senders()));
    entry
}
