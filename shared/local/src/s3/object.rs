//! Objects: what is kept of one, and what is needed to write one.

use std::collections::BTreeMap;
use std::fs::File;

use s3s::dto::{ETagCondition, Timestamp};
use serde::{Deserialize, Serialize};

use super::checksum::Checksums;
use super::error::S3ServerError;
use super::receive::NewContent;
use super::store::timestamp;
use crate::events::EventName;

/// What is kept of an object besides its content, as the client gave it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attributes {
    pub(crate) cache_control: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) content_type: Option<String>,
    /// The time of `Expires` in milliseconds since 1970.
    pub(crate) expires_ms: Option<i64>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) checksums: Checksums,
    /// `FULL_OBJECT` or `COMPOSITE`.
    pub(crate) checksum_type: Option<String>,
    /// The algorithm that the parts of a multipart upload must have.
    pub(crate) checksum_algorithm: Option<String>,
}

/// An object's row, without its content.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) etag: String,
    pub(crate) bytes: u64,
    pub(crate) modified_ms: i64,
    pub(crate) attributes: Attributes,
}

impl Object {
    /// Returns the time of the last write as `s3s` wants it.
    pub(crate) fn modified(&self) -> Timestamp {
        timestamp(self.modified_ms).into()
    }
}

/// An object's content, which stays whole even if the object is replaced meanwhile.
#[derive(Debug)]
pub(crate) enum Content {
    Inline(Vec<u8>),
    File(File),
}

/// An object about to be written.
#[derive(Debug)]
pub(crate) struct NewObject {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(crate) bytes: u64,
    pub(crate) attributes: Attributes,
    pub(crate) content: NewContent,
    pub(crate) event: EventName,
}

/// The conditions of a write, which its transaction decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Precondition {
    pub(crate) if_match: Option<ETagCondition>,
    /// `If-None-Match: *`, the only form that S3 knows for a write.
    pub(crate) must_be_absent: bool,
}

impl Precondition {
    /// Decides the precondition against the ETag of the object that is there, if there is one.
    pub(crate) fn check(
        &self,
        bucket: &str,
        key: &str,
        current: Option<&str>,
    ) -> Result<(), S3ServerError> {
        let holds = match (&self.if_match, current) {
            (Some(_), None) => {
                return Err(S3ServerError::NoSuchKey { bucket: bucket.into(), key: key.into() });
            }
            (Some(ETagCondition::ETag(etag)), Some(current)) if etag.value() != current => false,
            (_, Some(_)) => !self.must_be_absent,
            (None, None) => true,
        };
        if holds { Ok(()) } else { Err(S3ServerError::PreconditionFailed { key: key.into() }) }
    }
}
