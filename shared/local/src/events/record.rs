//! S3's event JSON.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use uuid::Uuid;

use crate::s3::timestamp;

const EVENT_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The characters that S3 leaves as they are in an event's key.
///
/// They are the unreserved characters of an HTML form, and the slash. The space stays for
/// [`encode_key`], which makes it `+`.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

/// The events that the embedded S3 raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventName {
    Put,
    Post,
    Copy,
    CompleteMultipartUpload,
    Delete,
}

impl EventName {
    /// Returns the name as records spell it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Post => "ObjectCreated:Post",
            Self::Copy => "ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
            Self::Delete => "ObjectRemoved:Delete",
        }
    }
}

/// Something that happened to an object.
#[derive(Debug)]
pub(crate) struct ObjectEvent<'a> {
    pub(crate) event: EventName,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    /// The size and ETag of what was written; absent for a removal.
    pub(crate) written: Option<(u64, &'a str)>,
    /// The time in milliseconds since 1970.
    pub(crate) time_ms: i64,
}

impl ObjectEvent<'_> {
    /// Returns the record as the outbox keeps it; [`event`] adds what is known only at delivery.
    pub(crate) fn record(&self, region: &str, account_id: &str) -> Value {
        let mut object = json!({ "key": encode_key(self.key) });
        if let Some((bytes, etag)) = self.written {
            object["size"] = bytes.into();
            object["eTag"] = etag.into();
        }
        let principal = json!({ "principalId": account_id });
        let time = timestamp(self.time_ms).format(EVENT_TIME).unwrap_or_default();
        json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": region,
            "eventTime": time,
            "eventName": self.event.as_str(),
            "userIdentity": principal,
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": {
                "x-amz-request-id": Uuid::new_v4().simple().to_string()[..16].to_uppercase(),
                "x-amz-id-2": Uuid::new_v4().simple().to_string(),
            },
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": {
                    "name": self.bucket,
                    "ownerIdentity": principal,
                    "arn": format!("arn:aws:s3:::{}", self.bucket),
                },
                "object": object,
            },
        })
    }
}

/// Returns the event that a function receives for `record`.
///
/// `sequence` grows with every event of the store, and so does `sequencer`. S3 promises that for
/// each key only.
pub(crate) fn event(record: &Value, configuration_id: &str, sequence: i64) -> Value {
    let mut record = record.clone();
    record["s3"]["configurationId"] = configuration_id.into();
    record["s3"]["object"]["sequencer"] = format!("{sequence:018X}").into();
    json!({ "Records": [record] })
}

/// Encodes a key as an HTML form does: a space becomes `+`, and `+` becomes `%2B`.
fn encode_key(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string().replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_form_encoded_except_for_slashes() {
        let cases = [
            ("a b/c+d", "a+b/c%2Bd"),
            ("100%", "100%25"),
            ("naïve/日", "na%C3%AFve/%E6%97%A5"),
            ("runs/p-1_2.x*/m.json", "runs/p-1_2.x*/m.json"),
            ("a=b&c", "a%3Db%26c"),
        ];
        for (key, encoded) in cases {
            assert_eq!(encode_key(key), encoded);
        }
    }
}
