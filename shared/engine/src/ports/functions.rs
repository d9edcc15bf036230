//! The port to Lambda: what a function is, and starting it.

use async_trait::async_trait;
use serde_json::Value;
use sidestep_core::execution::start::Function;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A failure of the function service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    #[error("function `{function_arn}` does not exist")]
    NotFound { function_arn: String },
    /// The service refuses this call now; its own retries are used up.
    #[error("function `{function_arn}` is throttled")]
    Throttled { function_arn: String },
    #[error("could not {operation} function `{function_arn}`")]
    Unavailable { operation: &'static str, function_arn: String, source: BoxError },
}

impl FunctionError {
    /// The failure's name in a step's failure reason; the second and third are SageMaker's.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "Sidestep.UnknownFunction",
            Self::Throttled { .. } => "Step.THROTTLING",
            Self::Unavailable { .. } => "Step.SERVICE_FAULT",
        }
    }
}

/// Lambda functions.
#[async_trait]
pub trait Functions: Send + Sync + std::fmt::Debug {
    /// The function as it is now, pinned to a version; `None` where there is none.
    async fn describe(&self, function_arn: &str) -> Result<Option<Function>, FunctionError>;

    /// Hands `payload` over for an asynchronous invocation. Twice: the function runs twice, and one result counts.
    async fn invoke(&self, invoke_arn: &str, payload: &Value) -> Result<(), FunctionError>;
}
