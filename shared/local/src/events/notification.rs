//! The events of a bucket that a function asks for.

use serde::{Deserialize, Serialize};

/// The names of events that S3 defines.
///
/// The embedded S3 raises `Put`, `Post`, `Copy`, `CompleteMultipartUpload` and `Delete`.
const EVENTS: [&str; 8] = [
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
];

/// A function's interest in a bucket: S3's `LambdaFunctionConfiguration`.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_LambdaFunctionConfiguration.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionNotification {
    /// The name of the notification, which arrives in the event as `configurationId`.
    pub id: String,
    pub function_arn: String,
    /// The events by S3's names, such as `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    /// The start of the keys, not encoded.
    pub prefix: Option<String>,
    /// The end of the keys, not encoded.
    pub suffix: Option<String>,
}

impl FunctionNotification {
    /// Returns true if the function asks for `event`, such as `ObjectCreated:Put`, on `key`.
    pub fn matches(&self, event: &str, key: &str) -> bool {
        let is_asked = |pattern: &String| {
            let pattern = pattern.strip_prefix("s3:").unwrap_or(pattern);
            match pattern.strip_suffix('*') {
                Some(family) => event.starts_with(family),
                None => event == pattern,
            }
        };
        self.events.iter().any(is_asked)
            && self.prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix))
            && self.suffix.as_deref().is_none_or(|suffix| key.ends_with(suffix))
    }

    /// Returns the first event that S3 does not define, if there is one.
    pub(crate) fn unknown_event(&self) -> Option<&str> {
        self.events.iter().map(String::as_str).find(|event| !EVENTS.contains(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(
        events: &[&str],
        prefix: Option<&str>,
        suffix: Option<&str>,
    ) -> FunctionNotification {
        FunctionNotification {
            id: "id".into(),
            function_arn: "arn".into(),
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            prefix: prefix.map(str::to_owned),
            suffix: suffix.map(str::to_owned),
        }
    }

    #[test]
    fn an_event_matches_by_name_prefix_and_suffix() {
        let created = notification(&["s3:ObjectCreated:*"], Some("runs/"), Some("manifest.json"));
        let cases = [
            ("ObjectCreated:Put", "runs/a/manifest.json", true),
            ("ObjectCreated:CompleteMultipartUpload", "runs/manifest.json", true),
            ("ObjectRemoved:Delete", "runs/a/manifest.json", false),
            ("ObjectCreated:Put", "inbox/manifest.json", false),
            ("ObjectCreated:Put", "runs/a/manifest.json.tmp", false),
        ];
        for (event, key, expected) in cases {
            assert_eq!(created.matches(event, key), expected, "{event} {key}");
        }
        let put = notification(&["s3:ObjectCreated:Put"], None, None);
        assert!(put.matches("ObjectCreated:Put", "any"));
        assert!(!put.matches("ObjectCreated:Copy", "any"));
    }

    #[test]
    fn an_event_that_s3_does_not_define_is_named() {
        let asked = notification(&["s3:ObjectCreated:*", "s3:ObjectCreate:*"], None, None);
        assert_eq!(asked.unknown_event(), Some("s3:ObjectCreate:*"));
    }
}
