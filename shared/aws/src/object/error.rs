//! S3's failures in the port's words.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::StoreError;

/// Codes that mean "later", whatever the status says.
const RETRYABLE_CODES: [&str; 5] =
    ["SlowDown", "RequestTimeout", "ServiceUnavailable", "InternalError", "ThrottlingException"];

/// The HTTP status of a refused request.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Whether the object is not there, as opposed to its bucket.
pub(super) fn is_absent<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    status(error) == Some(404) && error.code() != Some("NoSuchBucket")
}

/// Mailboxes an SDK error into the port's, deciding whether a repeat may help.
///
/// The SDK has already tried three times; this is about the caller's next event, seconds or minutes later.
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
    StoreError::Unavailable { operation, uri: uri.clone(), retryable, source: error.into() }
}
