//! Messages as they are sent, kept and received.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::attribute::Attributes;
use super::digest;
use super::error::SqsServerError;

/// The most attributes of one message, by SQS's limit.
const ATTRIBUTES: usize = 10;

/// A message that is to be sent.
#[derive(Debug, Clone)]
pub(super) struct NewMessage {
    pub(super) body: String,
    pub(super) attributes: Attributes,
    /// The delay of this message. The queue's setting applies if it is absent.
    pub(super) delay_seconds: Option<i64>,
}

impl NewMessage {
    /// Checks the message against SQS's limits; `limit` is the queue's largest size.
    pub(super) fn check(&self, limit: u32) -> Result<(), SqsServerError> {
        let wrong = |parameter: &str, why: String| {
            let parameter = parameter.to_owned();
            Err(SqsServerError::InvalidParameterValue { parameter, why })
        };
        let attribute_bytes: usize = self
            .attributes
            .iter()
            .map(|(name, value)| name.len() + value.data_type.len() + value.transported().1.len())
            .sum();
        let bytes = self.body.len() + attribute_bytes;
        if bytes == 0 {
            return wrong("MessageBody", "it is empty".to_owned());
        }
        if bytes > limit as usize {
            return wrong("MessageBody", format!("{bytes} bytes are over the limit of {limit}"));
        }
        let is_legal = |char: char| matches!(char, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        if let Some(char) = self.body.chars().find(|char| !is_legal(*char)) {
            return wrong(
                "MessageBody",
                format!("character {:#x} is not allowed", u32::from(char)),
            );
        }
        if self.attributes.len() > ATTRIBUTES {
            return wrong("MessageAttributes", format!("there are more than {ATTRIBUTES}"));
        }
        Ok(())
    }
}

/// The answer to the sender of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) md5_of_body: String,
    pub(super) md5_of_attributes: Option<String>,
}

impl Sent {
    /// Returns the answer as `SendMessage` gives it.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut answer = Map::new();
        answer.insert("MessageId".to_owned(), json!(self.id));
        answer.insert("MD5OfMessageBody".to_owned(), json!(self.md5_of_body));
        if let Some(md5) = &self.md5_of_attributes {
            answer.insert("MD5OfMessageAttributes".to_owned(), json!(md5));
        }
        answer
    }
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) id: String,
    pub(super) receipt_handle: String,
    pub(super) body: String,
    pub(super) attributes: Attributes,
    pub(super) sent_ms: i64,
    pub(super) first_received_ms: i64,
    pub(super) receive_count: i64,
}

impl Received {
    /// Returns SQS's own attributes of the message.
    pub(super) fn system_attributes(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("SentTimestamp", self.sent_ms.to_string()),
            ("ApproximateFirstReceiveTimestamp", self.first_received_ms.to_string()),
            ("ApproximateReceiveCount", self.receive_count.to_string()),
            ("SenderId", "sidestep".to_owned()),
        ])
    }

    /// Returns the message as `ReceiveMessage` gives it, with the attributes that were asked for.
    pub(super) fn to_json(&self, system: &[String], asked: &[String]) -> Value {
        let mut message = json!({
            "MessageId": self.id,
            "ReceiptHandle": self.receipt_handle,
            "Body": self.body,
            "MD5OfBody": digest::of_body(&self.body),
        });
        let mut system_attributes = self.system_attributes();
        system_attributes
            .retain(|name, _| system.iter().any(|wanted| wanted == "All" || wanted == name));
        if !system_attributes.is_empty() {
            message["Attributes"] = json!(system_attributes);
        }
        let mut attributes = self.attributes.clone();
        attributes.retain(|name, _| asked.iter().any(|wanted| matches(wanted, name)));
        if let Some(md5) = digest::of_attributes(&attributes) {
            message["MD5OfMessageAttributes"] = json!(md5);
            message["MessageAttributes"] = json!(attributes);
        }
        message
    }

    /// Returns the message as a record of the batch that Lambda hands to a function.
    ///
    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
    pub(super) fn to_record(&self, queue_arn: &str, region: &str) -> Value {
        let attributes = self.attributes.iter().map(|(name, attribute)| {
            let value = json!({
                "dataType": attribute.data_type,
                "stringValue": attribute.string_value,
                "binaryValue": attribute.binary_value,
                "stringListValues": [],
                "binaryListValues": [],
            });
            (name.clone(), value)
        });
        json!({
            "messageId": self.id,
            "receiptHandle": self.receipt_handle,
            "body": self.body,
            "attributes": self.system_attributes(),
            "messageAttributes": attributes.collect::<Map<_, _>>(),
            "md5OfBody": digest::of_body(&self.body),
            "eventSource": "aws:sqs",
            "eventSourceARN": queue_arn,
            "awsRegion": region,
        })
    }
}

/// Returns true if a request for `wanted` means the attribute `name`.
///
/// `All` and `.*` mean every attribute, and `prefix.*` those that begin with the prefix.
fn matches(wanted: &str, name: &str) -> bool {
    match wanted.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => wanted == "All" || wanted == name,
    }
}
