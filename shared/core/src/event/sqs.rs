//! A batch of messages of a queue.

use serde::Deserialize;
use serde_json::Value;

use crate::event::lenient;

/// One message of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueMessage {
    #[serde(deserialize_with = "lenient::plain")]
    event_source: String,
    /// By which the answer to a batch names a message that failed.
    #[serde(rename = "messageId", deserialize_with = "lenient::plain")]
    pub id: String,
    #[serde(deserialize_with = "lenient::plain")]
    pub body: String,
}

/// Returns the messages of a batch, or `None` for any other event.
pub fn queue_messages(event: &Value) -> Option<Vec<QueueMessage>> {
    let records = event["Records"].as_array()?;
    let messages: Option<Vec<QueueMessage>> = records.iter().map(lenient::object).collect();
    let is_of_a_queue = |message: &QueueMessage| message.event_source == "aws:sqs";
    messages.filter(|messages| !messages.is_empty() && messages.iter().all(is_of_a_queue))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_queues_batch_is_unwrapped() {
        let message = |id: &str| json!({"messageId": id, "eventSource": "aws:sqs", "body": "{}"});
        let batch = json!({"Records": [message("1"), message("2")]});
        let messages = queue_messages(&batch).expect("a batch");
        let ids: Vec<_> = messages.into_iter().map(|message| message.id).collect();
        assert_eq!(ids, ["1", "2"]);
        let others = [
            json!({"Records": []}),
            json!({"Records": [{"eventSource": "aws:s3", "s3": {}}]}),
            json!({"Records": [message("1"), {"eventSource": "aws:s3"}]}),
            json!({"Records": [message("1"), ["aws:sqs", "2", "{}"]]}),
            json!({"Sweep": true}),
            json!(null),
        ];
        for event in others {
            assert_eq!(queue_messages(&event), None, "{event}");
        }
    }

    #[test]
    fn a_message_without_a_body_is_still_a_message() {
        let batch = json!({"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": 7}]});
        assert_eq!(queue_messages(&batch).expect("a batch")[0].body, "");
    }
}
