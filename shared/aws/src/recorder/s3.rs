//! What requests of S3 ask for.

use std::collections::BTreeMap;

use super::ask::Asked;
use super::url::{decoded, path_and_query};

/// Returns what the answer "not found" to a request for an object needs.
pub(super) fn absence(operation: &str, uri: &str) -> Option<Asked> {
    if !matches!(operation, "GetObject" | "HeadObject") {
        return None;
    }
    let S3Target { bucket, key, .. } = S3Target::read(uri)?;
    let mut asked = Asked::new("s3:ListBucket", format!("arn:aws:s3:::{bucket}"));
    asked.context.insert("s3:prefix", vec![key]);
    Some(asked)
}

/// The bucket and the key in a URL by path, and its query.
struct S3Target {
    bucket: String,
    key: String,
    query: BTreeMap<String, String>,
}

impl S3Target {
    fn read(uri: &str) -> Option<Self> {
        let (path, query) = path_and_query(uri)?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Some(Self { bucket: decoded(bucket), key: decoded(key), query })
    }
}

/// Returns what a request asks for, if the operation is known.
pub(super) fn of_s3(operation: &str, uri: &str) -> Option<Asked> {
    let S3Target { bucket, key, query } = S3Target::read(uri)?;
    let action = match operation {
        "GetObject" | "HeadObject" if query.contains_key("versionId") => "s3:GetObjectVersion",
        "GetObject" | "HeadObject" => "s3:GetObject",
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            "s3:PutObject"
        }
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        "DeleteObject" => "s3:DeleteObject",
        "HeadBucket" | "ListObjectsV2" => "s3:ListBucket",
        _ => return None,
    };
    if action == "s3:ListBucket" {
        let mut asked = Asked::new(action, format!("arn:aws:s3:::{bucket}"));
        asked.context.extend(query.get("prefix").map(|prefix| ("s3:prefix", vec![prefix.clone()])));
        return Some(asked);
    }
    Some(Asked::new(action, format!("arn:aws:s3:::{bucket}/{key}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_s3_name_objects_and_buckets() {
        let s3 = |operation: &str, path: &str| {
            let asked = of_s3(operation, &format!("http://127.0.0.1:9/{path}"))?;
            let prefix =
                asked.context.get("s3:prefix").map(|all| format!(" prefix={}", all.join(",")));
            Some(format!("{} {}{}", asked.action, asked.resource, prefix.unwrap_or_default()))
        };
        let cases = [
            ("GetObject", "b/runs/a%20b?x-id=GetObject", "s3:GetObject arn:aws:s3:::b/runs/a b"),
            ("HeadObject", "b/k", "s3:GetObject arn:aws:s3:::b/k"),
            ("GetObject", "b/k?versionId=3", "s3:GetObjectVersion arn:aws:s3:::b/k"),
            ("UploadPart", "b/k?partNumber=1&uploadId=u", "s3:PutObject arn:aws:s3:::b/k"),
            (
                "ListObjectsV2",
                "b/?list-type=2&prefix=runs%2Fp",
                "s3:ListBucket arn:aws:s3:::b prefix=runs/p",
            ),
            ("ListObjectsV2", "b?list-type=2", "s3:ListBucket arn:aws:s3:::b"),
        ];
        for (operation, path, wanted) in cases {
            assert_eq!(s3(operation, path).as_deref(), Some(wanted), "{operation} {path}");
        }
        assert_eq!(s3("PutBucketPolicy", "b?policy"), None);
        let asked = absence("HeadObject", "http://127.0.0.1:9/b/in/x").expect("an object");
        assert_eq!(
            (asked.action.as_str(), asked.resource.as_str()),
            ("s3:ListBucket", "arn:aws:s3:::b")
        );
        assert_eq!(asked.context["s3:prefix"], ["in/x"]);
        assert_eq!(absence("PutObject", "http://127.0.0.1:9/b/in/x"), None);
    }
}
