//! Mailboxes the SDK's errors into the port's.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
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

/// Whether the service answered with this code.
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
    TableError::Unavailable { operation, item: item.to_owned(), retryable, source: Box::new(error) }
}
