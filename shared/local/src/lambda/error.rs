//! Refusals of the host: of configurations at registration, and of requests at invocation.
//!
//! A function that fails is not an error of the host. That is
//! [`FunctionError`](super::FunctionError), and it ends up in
//! [`InvokeOutput`](super::InvokeOutput), as with Lambda.

use std::io;

use sidestep_core::name::{FunctionName, NameError};

use super::log_key::InvalidLogKey;

/// A host or a function that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    #[error(transparent)]
    InvalidFunctionName(#[from] NameError),
    /// A number of the configuration is outside Lambda's range.
    #[error("invalid `{field}` of function `{function}`: expected {allowed}, found {actual}")]
    OutOfRange {
        function: FunctionName,
        field: &'static str,
        actual: String,
        allowed: &'static str,
    },
    #[error(transparent)]
    InvalidLogKey(#[from] InvalidLogKey),
    /// The folder for logs could not be created.
    #[error("could not create the log folder `{path}`")]
    LogFolder { path: String, source: io::Error },
}

/// A request that was not accepted: nothing ran and nothing will.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The function does not exist, or the request names a version or alias other than `$LATEST`.
    #[error("function not found: `{function}`")]
    FunctionNotFound { function: String },
    /// The concurrency of the function or of the host is used up, or the queue of events is full.
    #[error("function `{function}` is throttled: {reason}")]
    TooManyRequests { function: FunctionName, reason: &'static str },
    /// The payload is over Lambda's limit for the invocation type.
    #[error(
        "request of {actual} bytes must be smaller than {limit} bytes for the Invoke operation"
    )]
    RequestTooLarge { limit: usize, actual: usize },
    /// The payload is not JSON.
    #[error("could not parse request body into json")]
    InvalidRequestContent { source: serde_json::Error },
    /// A header or a name of the request has an invalid value.
    #[error("`{value}` is not a valid {parameter}")]
    InvalidParameterValue { parameter: &'static str, value: String },
    /// The chain of requests has visited the function as often as it may.
    #[error(
        "function `{function}` is in a recursive loop: this chain of requests visited it {visits} times"
    )]
    RecursiveInvocation { function: FunctionName, visits: u32 },
    /// The host is shutting down.
    #[error("the lambda host is shutting down")]
    ShuttingDown,
}
