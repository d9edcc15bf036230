//! Names and attributes of queues.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::SqsServerError;

/// The longest name of a queue, by SQS's limit.
const NAME_CHARS: usize = 80;
/// The largest message, by SQS's limit.
pub(super) const MESSAGE_BYTES: u32 = 1_048_576;
/// The longest delay of a message, in seconds.
pub(super) const DELAY_SECONDS: u32 = 900;
/// The longest visibility timeout, in seconds.
pub(super) const VISIBILITY_SECONDS: u32 = 43_200;
/// The longest wait for a message, in seconds.
pub(super) const WAIT_SECONDS: u32 = 20;

/// The attributes of a queue that can be set. All times are in seconds; the defaults are SQS's.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueueSettings {
    pub delay_seconds: u32,
    pub visibility_timeout: u32,
    pub message_retention_period: u32,
    pub receive_message_wait_time_seconds: u32,
    pub maximum_message_size: u32,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            delay_seconds: 0,
            visibility_timeout: 30,
            message_retention_period: 345_600,
            receive_message_wait_time_seconds: 0,
            maximum_message_size: MESSAGE_BYTES,
        }
    }
}

impl QueueSettings {
    /// Returns these settings with the attributes of a request.
    pub(super) fn with(mut self, given: &BTreeMap<String, String>) -> Result<Self, SqsServerError> {
        for (name, value) in given {
            let (setting, range) = match name.as_str() {
                "DelaySeconds" => (&mut self.delay_seconds, 0..=DELAY_SECONDS),
                "VisibilityTimeout" => (&mut self.visibility_timeout, 0..=VISIBILITY_SECONDS),
                "MessageRetentionPeriod" => (&mut self.message_retention_period, 60..=1_209_600),
                "ReceiveMessageWaitTimeSeconds" => {
                    (&mut self.receive_message_wait_time_seconds, 0..=WAIT_SECONDS)
                }
                "MaximumMessageSize" => (&mut self.maximum_message_size, 1024..=MESSAGE_BYTES),
                "FifoQueue" | "RedrivePolicy" | "Policy" => {
                    return Err(SqsServerError::Unsupported(format!("`{name}`")));
                }
                // Encryption at rest makes no difference to any client here.
                "SqsManagedSseEnabled" | "KmsMasterKeyId" => continue,
                _ => return Err(SqsServerError::InvalidAttributeName { name: name.clone() }),
            };
            *setting = value.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| {
                SqsServerError::InvalidParameterValue {
                    parameter: name.clone(),
                    why: format!("`{value}` is not from {} to {}", range.start(), range.end()),
                }
            })?;
        }
        Ok(self)
    }
}

/// Checks a number of a request against its limit, or returns the default if it is absent.
pub(super) fn in_range(
    parameter: &str,
    value: Option<i64>,
    default: u32,
    limit: u32,
) -> Result<u32, SqsServerError> {
    let Some(value) = value else { return Ok(default) };
    u32::try_from(value).ok().filter(|value| *value <= limit).ok_or_else(|| {
        SqsServerError::InvalidParameterValue {
            parameter: parameter.to_owned(),
            why: format!("{value} is not from 0 to {limit}"),
        }
    })
}

/// Accepts 1 to 80 letters, digits, `-` and `_`.
pub(super) fn check_name(name: &str) -> Result<&str, SqsServerError> {
    if name.strip_suffix(".fifo").is_some() {
        return Err(SqsServerError::Unsupported("a FIFO queue".to_owned()));
    }
    let is_legal = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
    if name.is_empty() || name.len() > NAME_CHARS || !name.chars().all(is_legal) {
        return Err(SqsServerError::InvalidParameterValue {
            parameter: "QueueName".to_owned(),
            why: format!("expected 1 to {NAME_CHARS} letters, digits, `-` or `_`"),
        });
    }
    Ok(name)
}

/// Returns the name at the end of a queue's URL. The host is ignored.
pub(super) fn name_of(url: &str) -> &str {
    url.trim_end_matches('/').rsplit('/').next().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_checked_against_sqs_limits() {
        let with = |name: &str, value: &str| {
            let given = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            QueueSettings::default().with(&given)
        };
        assert_eq!(with("DelaySeconds", "900").unwrap().delay_seconds, 900);
        for (name, value) in [
            ("DelaySeconds", "901"),
            ("DelaySeconds", "-1"),
            ("VisibilityTimeout", "x"),
            ("FifoQueue", "true"),
            ("Colour", "red"),
        ] {
            assert!(with(name, value).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn a_queue_is_found_by_the_end_of_its_url() {
        let url = "https://sqs.us-east-1.amazonaws.com/123456789012/approvals";
        assert_eq!(name_of(url), "approvals");
        assert_eq!(check_name(name_of(url)).unwrap(), "approvals");
        for name in ["", "a b", "a/b", "../x", "q.fifo"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
