//! Why something about a stack could not be done.

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

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
    /// The change was begun and did not succeed.
    #[error("stack `{stack}` ended as {status}{}", reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default())]
    Failed { stack: String, status: String, reason: Option<String> },
    /// The service says no, or cannot be reached.
    #[error("could not {operation} `{name}`{}", message.as_deref().map(|m| format!(": {m}")).unwrap_or_default())]
    Service { operation: &'static str, name: String, message: Option<String>, source: BoxError },
}

/// Wraps an SDK's error, with the service's own message in front.
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

/// The service's code of an error: `ValidationError`, `ResourceNotFoundException`.
pub(super) fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// The service's message of an error.
pub(super) fn message<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default()
}
