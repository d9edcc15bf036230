//! What requests of S3 ask for.

use std::collections::BTreeMap;

use super::ask::Asked;
use super::url::{decoded, pairs, path_and_query};

/// Returns what the answer "not found" to a request for an object needs.
pub fn absence(operation: &str, uri: &str) -> Option<Asked> {
    if !matches!(operation, "GetObject" | "HeadObject") {
        return None;
    }
    let S3Target { bucket, key, .. } = S3Target::read(uri)?;
    Some(Asked::list(&bucket, Some(key)))
}

/// The bucket and the key of a request, its query, and the object that it copies.
#[derive(Debug, Clone, Default)]
pub struct S3Target {
    pub bucket: String,
    pub key: String,
    query: BTreeMap<String, String>,
    /// The source of a copy: `BUCKET/KEY`, maybe with a version.
    source: Option<String>,
}

impl S3Target {
    /// Returns the target of a request whose address is read already. `source` is what the header
    /// `x-amz-copy-source` holds.
    pub fn new(bucket: &str, key: &str, query: Option<&str>, source: Option<&str>) -> Self {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let query = pairs(query.unwrap_or_default());
        Self { bucket, key, query, source: source.map(str::to_owned) }
    }

    pub(super) fn read(uri: &str) -> Option<Self> {
        let (path, query) = path_and_query(uri)?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Some(Self { bucket: decoded(bucket), key: decoded(key), query, source: None })
    }

    fn object(&self) -> String {
        format!("arn:aws:s3:::{}/{}", self.bucket, self.key)
    }

    fn has(&self, name: &str) -> bool {
        self.query.contains_key(name)
    }

    /// Returns the ARN of the object that is copied.
    fn copied(&self) -> Option<Asked> {
        let source = decoded(self.source.as_deref()?.trim_start_matches('/'));
        let (object, action) = match source.split_once("?versionId=") {
            Some((object, _)) => (object, "s3:GetObjectVersion"),
            None => (source.as_str(), "s3:GetObject"),
        };
        Some(Asked::new(action, format!("arn:aws:s3:::{object}")))
    }
}

/// Returns what a request asks for, if the operation is known.
///
/// `DeleteObjects` and forms name their objects in the body, so they ask for nothing here.
pub fn of_s3(operation: &str, target: &S3Target) -> Option<Vec<Asked>> {
    let of_object = |action: &str| vec![Asked::new(action, target.object())];
    let of_bucket =
        |action: &str| vec![Asked::new(action, format!("arn:aws:s3:::{}", target.bucket))];
    let asked = match operation {
        "GetObject" | "HeadObject" if target.has("versionId") => of_object("s3:GetObjectVersion"),
        "GetObject" | "HeadObject" => of_object("s3:GetObject"),
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            of_object("s3:PutObject")
        }
        "CopyObject" | "UploadPartCopy" => {
            let mut asked = of_object("s3:PutObject");
            asked.extend(target.copied());
            asked
        }
        "AbortMultipartUpload" => of_object("s3:AbortMultipartUpload"),
        "ListParts" => of_object("s3:ListMultipartUploadParts"),
        "DeleteObject" if target.has("versionId") => of_object("s3:DeleteObjectVersion"),
        "DeleteObject" => of_object("s3:DeleteObject"),
        "HeadBucket" => vec![Asked::list(&target.bucket, None)],
        "ListObjects" | "ListObjectsV2" => {
            vec![Asked::list(&target.bucket, target.query.get("prefix").cloned())]
        }
        "ListMultipartUploads" => of_bucket("s3:ListBucketMultipartUploads"),
        "ListBuckets" => vec![Asked::new("s3:ListAllMyBuckets", "*")],
        "CreateBucket"
        | "DeleteBucket"
        | "GetBucketLocation"
        | "GetBucketVersioning"
        | "PutBucketVersioning" => of_bucket(&format!("s3:{operation}")),
        "GetBucketNotificationConfiguration" => of_bucket("s3:GetBucketNotification"),
        "PutBucketNotificationConfiguration" => of_bucket("s3:PutBucketNotification"),
        _ => return None,
    };
    Some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_s3_name_objects_and_buckets() {
        let line = |asked: &Asked| {
            let prefix =
                asked.context.get("s3:prefix").map(|all| format!(" prefix={}", all.join(",")));
            format!("{} {}{}", asked.action, asked.resource, prefix.unwrap_or_default())
        };
        let s3 = |operation: &str, path: &str| {
            let target = S3Target::read(&format!("http://127.0.0.1:9/{path}"))?;
            let asked = of_s3(operation, &target)?;
            Some(asked.iter().map(line).collect::<Vec<_>>().join(", "))
        };
        let cases = [
            ("GetObject", "b/runs/a%20b?x-id=GetObject", "s3:GetObject arn:aws:s3:::b/runs/a b"),
            ("HeadObject", "b/k", "s3:GetObject arn:aws:s3:::b/k"),
            ("GetObject", "b/k?versionId=3", "s3:GetObjectVersion arn:aws:s3:::b/k"),
            ("UploadPart", "b/k?partNumber=1&uploadId=u", "s3:PutObject arn:aws:s3:::b/k"),
            ("ListParts", "b/k?uploadId=u", "s3:ListMultipartUploadParts arn:aws:s3:::b/k"),
            (
                "ListObjectsV2",
                "b/?list-type=2&prefix=runs%2Fp",
                "s3:ListBucket arn:aws:s3:::b prefix=runs/p",
            ),
            ("ListObjectsV2", "b?list-type=2", "s3:ListBucket arn:aws:s3:::b"),
            ("ListBuckets", "", "s3:ListAllMyBuckets *"),
            ("DeleteBucket", "b", "s3:DeleteBucket arn:aws:s3:::b"),
        ];
        for (operation, path, wanted) in cases {
            assert_eq!(s3(operation, path).as_deref(), Some(wanted), "{operation} {path}");
        }
        assert_eq!(s3("PutBucketPolicy", "b?policy"), None);
        let copy = S3Target::new("b", "k", None, Some("/other/a%20b?versionId=1"));
        let asked = of_s3("CopyObject", &copy).expect("known");
        assert_eq!(
            asked.iter().map(line).collect::<Vec<_>>(),
            ["s3:PutObject arn:aws:s3:::b/k", "s3:GetObjectVersion arn:aws:s3:::other/a b"]
        );
        let absent = absence("HeadObject", "http://127.0.0.1:9/b/in/x").expect("an object");
        assert_eq!(line(&absent), "s3:ListBucket arn:aws:s3:::b prefix=in/x");
        assert_eq!(absence("PutObject", "http://127.0.0.1:9/b/in/x"), None);
    }
}
