//! Turns S3's failures into the port's.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::BoxError;
use sidestep_engine::ports::disk_full::DiskFull;
use sidestep_engine::ports::objects::StoreError;

/// Codes that mean "later", whatever the status says.
const RETRYABLE_CODES: [&str; 5] =
    ["SlowDown", "RequestTimeout", "ServiceUnavailable", "InternalError", "ThrottlingException"];

/// The code of the embedded S3 for a full disk. S3 itself has none.
const DISK_FULL: &str = "InsufficientStorage";

/// The code of an object in an archive, which has the status of a refusal and is a fact about it.
const ARCHIVED: &str = "InvalidObjectState";

/// Codes that refuse the caller with another status than 401 or 403.
const REFUSED_CODES: [&str; 3] = ["ExpiredToken", "InvalidToken", "TokenRefreshRequired"];

/// Returns the HTTP status of a refused request.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Returns true if the object does not exist but its bucket does.
pub(super) fn is_absent<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    status(error) == Some(404) && error.code() != Some("NoSuchBucket")
}

/// Turns an SDK error into the port's, and decides whether a repeat may help.
///
/// The SDK has already tried three times. This is about the caller's next event, which comes
/// seconds or minutes later.
pub(super) fn classify<E>(
    operation: &'static str,
    uri: &S3Uri,
    error: SdkError<E, HttpResponse>,
) -> StoreError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if error.code() == Some("NoSuchBucket") {
        return StoreError::NoSuchBucket { bucket: uri.bucket().to_owned() };
    }
    if is_denied(&error) {
        return StoreError::Denied { operation, uri: uri.clone(), source: Box::new(error) };
    }
    let retryable = match &error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => !failure.is_user(),
        SdkError::ServiceError(refused) => {
            let status = refused.raw().status().as_u16();
            let code = error.code().unwrap_or_default();
            status >= 500 || matches!(status, 409 | 429) || RETRYABLE_CODES.contains(&code)
        }
        _ => false,
    };
    let is_disk_full = error.code() == Some(DISK_FULL);
    let source: BoxError = Box::new(error);
    StoreError::Unavailable {
        operation,
        uri: uri.clone(),
        retryable,
        source: if is_disk_full { Box::new(DiskFull { source }) } else { source },
    }
}

/// Returns true if S3 refused the caller. The answer to a HEAD has a status and no code.
fn is_denied<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let code = error.code().unwrap_or_default();
    let is_status = matches!(status(error), Some(401 | 403)) && code != ARCHIVED;
    is_status || REFUSED_CODES.contains(&code)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::put_object::PutObjectError;
    use aws_sdk_s3::primitives::SdkBody;

    use super::*;

    fn refused(status: u16, code: &str) -> StoreError {
        let metadata = ErrorMetadata::builder().code(code).build();
        let response = HttpResponse::new(status.try_into().expect("a status"), SdkBody::empty());
        let error = SdkError::service_error(PutObjectError::generic(metadata), response);
        classify("create", &S3Uri::new("bucket", "key"), error)
    }

    #[test]
    fn a_full_disk_is_told_from_other_refusals() {
        let full = refused(507, "InsufficientStorage");
        assert!(DiskFull::is_cause_of(&full), "{full:?}");
        assert!(full.retryable(), "the user can free space");
        assert!(matches!(refused(404, "NoSuchBucket"), StoreError::NoSuchBucket { .. }));
        let busy = refused(503, "SlowDown");
        assert!(!DiskFull::is_cause_of(&busy) && busy.retryable(), "{busy:?}");
    }

    #[test]
    fn a_refused_caller_learns_nothing_about_the_object() {
        // A HEAD's answer has no code.
        for (status, code) in
            [(403, "AccessDenied"), (403, ""), (401, ""), (403, "Forbidden"), (400, "ExpiredToken")]
        {
            let error = refused(status, code);
            assert!(matches!(error, StoreError::Denied { .. }), "{status} {code}: {error:?}");
        }
        for (status, code) in [(403, "InvalidObjectState"), (400, ""), (404, "NoSuchKey")] {
            let error = refused(status, code);
            assert!(matches!(error, StoreError::Unavailable { .. }), "{status} {code}: {error:?}");
        }
    }
}
