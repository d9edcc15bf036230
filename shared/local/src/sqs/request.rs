//! The requests of SQS, with SQS's names.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::attribute::Attributes;
use super::error::SqsServerError;
use super::message::NewMessage;
use super::queue::{VISIBILITY_SECONDS, in_range};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    pub(super) queue_name: String,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    pub(super) queue_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    pub(super) queue_name_prefix: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Queue {
    pub(super) queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAttributes {
    pub(super) queue_url: String,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetAttributes {
    pub(super) queue_url: String,
    pub(super) attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Send {
    pub(super) queue_url: String,
    #[serde(flatten)]
    pub(super) message: Message,
}

/// The part that `SendMessage` and an entry of its batch have in common.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_field_names, reason = "the names are SQS's")]
pub(super) struct Message {
    pub(super) message_body: String,
    #[serde(default)]
    pub(super) message_attributes: Attributes,
    pub(super) delay_seconds: Option<i64>,
    pub(super) message_group_id: Option<Value>,
}

impl From<Message> for NewMessage {
    fn from(message: Message) -> Self {
        // In standard queues a group means fairness between tenants, of which there is one here.
        let _ = message.message_group_id;
        Self {
            body: message.message_body,
            attributes: message.message_attributes,
            delay_seconds: message.delay_seconds,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receive {
    pub(super) queue_url: String,
    pub(super) max_number_of_messages: Option<i64>,
    pub(super) visibility_timeout: Option<i64>,
    pub(super) wait_time_seconds: Option<i64>,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_system_attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Handle {
    pub(super) queue_url: String,
    pub(super) receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Change {
    pub(super) queue_url: String,
    pub(super) receipt_handle: String,
    pub(super) visibility_timeout: i64,
}

/// Parses the body of a request, or an entry of a batch.
pub(super) fn read<T: DeserializeOwned>(request: Value) -> Result<T, SqsServerError> {
    serde_json::from_value(request)
        .map_err(|error| SqsServerError::Malformed { why: error.to_string() })
}

/// Checks a visibility timeout against SQS's limit.
pub(super) fn visibility_seconds(seconds: i64) -> Result<u32, SqsServerError> {
    in_range("VisibilityTimeout", Some(seconds), 0, VISIBILITY_SECONDS)
}
