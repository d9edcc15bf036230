//! Events for the unit tests of this room.

use serde_json::{Value, json};

/// Returns S3's notification that an object was created under `key` in bucket `inbox`.
pub(super) fn notification(key: &str) -> Value {
    json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {
        "bucket": {"name": "inbox"},
        "object": {"key": key, "size": 3, "eTag": "e", "sequencer": "0A"}}}]})
}
