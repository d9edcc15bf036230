//! The conditions of reads and writes: `If-Match`, `If-None-Match` and their like.

use s3s::dto::{ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use time::OffsetDateTime;

use crate::s3::object::{Object, Precondition};
use crate::s3::store::timestamp;

/// The conditions of a read, which are compared with the object as it is.
#[derive(Debug, Default)]
pub(super) struct ReadCondition {
    pub(super) matches: Option<ETagCondition>,
    pub(super) none_match: Option<ETagCondition>,
    pub(super) modified_since: Option<Timestamp>,
    pub(super) unmodified_since: Option<Timestamp>,
}

impl ReadCondition {
    /// Decides in the order of RFC 9110, section 13.2.2.
    ///
    /// `unchanged` is the answer if the client's copy is still good.
    pub(super) fn check(self, object: &Object, unchanged: S3ErrorCode) -> S3Result<()> {
        let is_same = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == object.etag,
        };
        let failed = || S3Error::from(S3ErrorCode::PreconditionFailed);
        match (&self.matches, &self.unmodified_since) {
            (Some(condition), _) if !is_same(condition) => return Err(failed()),
            (None, Some(since)) if is_modified_after(object, since) => return Err(failed()),
            _ => {}
        }
        match (&self.none_match, &self.modified_since) {
            (Some(condition), _) if is_same(condition) => Err(unchanged.into()),
            (None, Some(since)) if !is_modified_after(object, since) => Err(unchanged.into()),
            _ => Ok(()),
        }
    }
}

/// Returns true if the object was written after `since`, in whole seconds as HTTP's times are.
fn is_modified_after(object: &Object, since: &Timestamp) -> bool {
    timestamp(object.modified_ms).unix_timestamp()
        > OffsetDateTime::from(since.clone()).unix_timestamp()
}

/// Returns the precondition of a write, which its transaction decides.
pub(super) fn precondition(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> S3Result<Precondition> {
    match if_none_match {
        Some(ETagCondition::ETag(_)) => {
            Err(s3_error!(NotImplemented, "a write knows `If-None-Match: *` only"))
        }
        any => Ok(Precondition { if_match, must_be_absent: any.is_some() }),
    }
}
