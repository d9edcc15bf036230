//! S3's notifications that an object was created, in S3's own envelope and in EventBridge's.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::event::lenient;

/// An object that S3 says was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedObject {
    pub bucket: String,
    /// Decoded.
    pub key: String,
    pub size: u64,
    pub etag: String,
    pub version_id: Option<String>,
    /// Orders the events of one key, and tells its uploads apart where there are no versions.
    pub sequencer: String,
    /// When it was created, in milliseconds since 1970, if the event says so.
    pub at_ms: Option<u64>,
}

/// Both envelopes, told apart by which members they have.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    /// `s3:TestEvent` is what S3 sends when notifications are set up.
    #[serde(rename = "Event", deserialize_with = "lenient::plain")]
    event: String,
    #[serde(rename = "detail-type", deserialize_with = "lenient::plain")]
    detail_type: String,
    #[serde(deserialize_with = "lenient::plain")]
    time: String,
    #[serde(deserialize_with = "lenient::nested")]
    detail: Entity,
    #[serde(rename = "Records", deserialize_with = "lenient::plain")]
    records: Option<Vec<Value>>,
}

/// One notification in S3's own envelope.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Record {
    #[serde(deserialize_with = "lenient::plain")]
    event_name: String,
    #[serde(deserialize_with = "lenient::plain")]
    event_time: String,
    #[serde(deserialize_with = "lenient::nested")]
    s3: Entity,
}

/// `s3` in S3's envelope, `detail` in EventBridge's.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entity {
    #[serde(deserialize_with = "lenient::nested")]
    bucket: Bucket,
    #[serde(deserialize_with = "lenient::nested")]
    object: Object,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Bucket {
    #[serde(deserialize_with = "lenient::plain")]
    name: Option<String>,
}

/// The two envelopes spell the ETag and the version differently.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    #[serde(deserialize_with = "lenient::plain")]
    key: Option<String>,
    #[serde(deserialize_with = "lenient::plain")]
    size: u64,
    #[serde(rename = "eTag", deserialize_with = "lenient::plain")]
    s3_etag: String,
    #[serde(rename = "etag", deserialize_with = "lenient::plain")]
    bridge_etag: String,
    #[serde(rename = "versionId", deserialize_with = "lenient::plain")]
    s3_version: String,
    #[serde(rename = "version-id", deserialize_with = "lenient::plain")]
    bridge_version: String,
    #[serde(deserialize_with = "lenient::plain")]
    sequencer: String,
}

/// Returns the objects that an S3 notification announces, in either envelope.
///
/// Keys in S3's own notifications are form-encoded (`a b` arrives as `a+b`), keys in EventBridge
/// events are not. The error says why an event announces nothing.
pub fn created_objects(event: &Value) -> Result<Vec<CreatedObject>, String> {
    let envelope: Envelope = lenient::object(event).unwrap_or_default();
    if envelope.event == "s3:TestEvent" {
        return Err("S3's test event".to_owned());
    }
    if envelope.detail_type == "Object Created" {
        let object = envelope.detail.created(&envelope.time, |key| Some(key.to_owned()));
        return object
            .map(|object| vec![object])
            .ok_or_else(|| "an event without bucket or key".to_owned());
    }
    let Some(records) = envelope.records else {
        return Err("not an event that sidestep knows".to_owned());
    };
    let records = records.iter().filter_map(lenient::object::<Record>);
    let created = records
        .filter(|record| record.event_name.trim_start_matches("s3:").starts_with("ObjectCreated:"));
    Ok(created.filter_map(|record| record.s3.created(&record.event_time, form_decode)).collect())
}

impl Entity {
    /// Returns the object, or `None` if its bucket or key is missing. `decode` decodes the key.
    fn created(self, time: &str, decode: fn(&str) -> Option<String>) -> Option<CreatedObject> {
        let Object { key, size, s3_etag, bridge_etag, s3_version, bridge_version, sequencer } =
            self.object;
        let etag = if s3_etag.is_empty() { bridge_etag } else { s3_etag };
        let version_id = if s3_version.is_empty() { bridge_version } else { s3_version };
        Some(CreatedObject {
            bucket: self.bucket.name?,
            key: decode(&key?)?,
            size,
            etag: etag.trim_matches('"').to_owned(),
            version_id: Some(version_id).filter(|id| !id.is_empty() && id != "null"),
            sequencer,
            at_ms: milliseconds(time),
        })
    }
}

/// Reads a time as events spell it; `None` for any other text, and before 1970.
fn milliseconds(time: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(time, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

/// Decodes a key in S3's own notifications; `None` if the bytes are not UTF-8.
fn form_decode(key: &str) -> Option<String> {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::fixture::notification;
    use serde_json::json;

    #[test]
    fn keys_are_decoded_only_in_the_envelope_that_encodes_them() {
        let classic = created_objects(&notification("a+b/c%2Bd%25/%C3%A9")).expect("objects");
        assert_eq!(classic[0].key, "a b/c+d%/é");
        let bridge = json!({"detail-type": "Object Created", "detail": {
            "bucket": {"name": "inbox"}, "object": {"key": "a+b/c%2Bd", "etag": "e"}}});
        assert_eq!(created_objects(&bridge).expect("objects")[0].key, "a+b/c%2Bd");
    }

    #[test]
    fn the_time_of_an_upload_is_read_in_both_envelopes() {
        let mut classic = notification("a");
        classic["Records"][0]["eventTime"] = json!("2026-11-26T12:00:00.250Z");
        let bridge = json!({"detail-type": "Object Created", "time": "2026-11-26T12:00:00Z",
            "detail": {"bucket": {"name": "inbox"}, "object": {"key": "a"}}});
        let time = |event: &Value| created_objects(event).expect("objects")[0].at_ms;
        assert_eq!(time(&classic), Some(1_795_694_400_250));
        assert_eq!(time(&bridge), Some(1_795_694_400_000));
        assert_eq!(time(&notification("a")), None);
        classic["Records"][0]["eventTime"] = json!("1960-01-01T00:00:00Z");
        assert_eq!(time(&classic), None);
    }

    #[test]
    fn a_field_of_another_type_counts_as_absent() {
        let mut event = notification("a");
        event["Records"][0]["s3"]["object"] =
            json!({"key": "a", "size": "3", "eTag": 5, "etag": "\"e\"", "versionId": null});
        let objects = created_objects(&event).expect("objects");
        assert_eq!((objects[0].size, objects[0].etag.as_str()), (0, "e"));
        assert_eq!(objects[0].version_id, None);
        for broken in [json!(7), json!(["inbox"]), json!({"name": 1})] {
            event["Records"][0]["s3"]["bucket"] = broken;
            assert_eq!(created_objects(&event), Ok(Vec::new()));
        }
    }
}
