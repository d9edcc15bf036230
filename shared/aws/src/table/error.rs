//! Turns the SDK's errors into the port's.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use sidestep_engine::ports::BoxError;
use sidestep_engine::ports::disk_full::DiskFull;
use sidestep_engine::ports::executions::TableError;

/// Codes that mean "ask again", after the SDK's own retries.
const RETRYABLE: [&str; 6] = [
    "InternalServerError",
    "ItemCollectionSizeLimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
];

/// SQLite's words for `SQLITE_FULL`. The embedded DynamoDB passes them on in the message of an
/// `InternalServerError`, which has no code of its own for a full disk.
const DISK_FULL: &str = "database or disk is full";

/// Returns true if the service answered with this code.
pub(super) fn is<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, code: &str) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some(code)
}

pub(super) fn classify<E, R>(
    operation: &'static str,
    item: &str,
    error: SdkError<E, R>,
) -> TableError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
    SdkError<E, R>: RequestId,
{
    let retryable = match &error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            true
        }
        SdkError::ServiceError(context) => {
            context.err().code().is_some_and(|code| RETRYABLE.contains(&code))
        }
        _ => false,
    };
    let message = error.as_service_error().and_then(ProvideErrorMetadata::message);
    let is_disk_full = message.is_some_and(|message| message.contains(DISK_FULL));
    let source: BoxError = Box::new(error);
    TableError::Unavailable {
        operation,
        item: item.to_owned(),
        retryable,
        source: if is_disk_full { Box::new(DiskFull { source }) } else { source },
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::http::HttpResponse;
    use aws_sdk_dynamodb::error::ErrorMetadata;
    use aws_sdk_dynamodb::operation::put_item::PutItemError;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn refused(code: &str, message: &str) -> TableError {
        let metadata = ErrorMetadata::builder().code(code).message(message).build();
        let response = HttpResponse::new(500.try_into().expect("a status"), SdkBody::empty());
        let error = SdkError::service_error(PutItemError::generic(metadata), response);
        classify("write", "E#1 HEAD", error)
    }

    #[test]
    fn a_full_disk_is_told_from_other_internal_errors() {
        let full = refused("InternalServerError", "Internal error: database or disk is full");
        assert!(DiskFull::is_cause_of(&full), "{full:?}");
        assert!(full.retryable(), "the user can free space");
        let other = refused("InternalServerError", "Internal error: disk I/O error");
        assert!(!DiskFull::is_cause_of(&other) && other.retryable(), "{other:?}");
        assert!(!refused("ValidationException", "one or more values are invalid").retryable());
    }
}
