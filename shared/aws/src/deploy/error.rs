//! The failures of a deployment, and the parts of an SDK's error.

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use sidestep_engine::ports::BoxError;

/// A failure of a deployment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// No region is set in the environment or the profile.
    #[error("no region is set")]
    NoRegion,
    /// CloudFormation refuses the template or the change.
    #[error("stack `{stack}` cannot be changed: {reason}")]
    Refused { stack: String, reason: String },
    /// The change was started and did not succeed.
    #[error("stack `{stack}` ended as {status}{}", after_colon(reason.as_deref()))]
    Failed { stack: String, status: String, reason: Option<String> },
    /// The stack is in a state from which there is no way on by itself.
    #[error("stack `{stack}` is {status}: {way_out}")]
    Stuck { stack: String, status: String, way_out: String },
    /// The service refuses the request or cannot be reached.
    #[error("could not {operation} `{name}`{}", after_colon(message.as_deref()))]
    Service { operation: &'static str, name: String, message: Option<String>, source: BoxError },
}

fn after_colon(text: Option<&str>) -> String {
    text.map(|text| format!(": {text}")).unwrap_or_default()
}

/// Returns a function that wraps an SDK's error together with the service's own message.
pub(super) fn service<E, R>(
    operation: &'static str,
    name: &str,
) -> impl Fn(SdkError<E, R>) -> DeployError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let name = name.to_owned();
    move |error| DeployError::Service {
        operation,
        name: name.clone(),
        message: error.as_service_error().and_then(|e| e.message()).map(str::to_owned),
        source: Box::new(error),
    }
}

/// Returns the service's code of an error, such as `ResourceNotFoundException`.
pub(super) fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Returns the service's message of an error.
pub(super) fn message<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default()
}
