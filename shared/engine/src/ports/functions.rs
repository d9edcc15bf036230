//! The port to Lambda: describes functions and invokes them.

use async_trait::async_trait;
use serde_json::Value;
use sidestep_core::execution::invocation::AttemptName;
use sidestep_core::execution::start::Function;
use sidestep_core::failure::FailureType;

use crate::ports::source::BoxError;

/// A failure of the function service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    #[error("function `{function_arn}` does not exist")]
    NotFound { function_arn: String },
    /// The service refuses the call for now. The adapter has used up its own retries.
    #[error("function `{function_arn}` is throttled")]
    Throttled { function_arn: String },
    #[error("could not {operation} function `{function_arn}`")]
    Unavailable { operation: &'static str, function_arn: String, source: BoxError },
}

impl FunctionError {
    /// Returns the type of the step's failure; the second and third are SageMaker's.
    pub fn failure_type(&self) -> FailureType {
        match self {
            Self::NotFound { .. } => FailureType::UnknownFunction,
            Self::Throttled { .. } => FailureType::Throttling,
            Self::Unavailable { .. } => FailureType::ServiceFault,
        }
    }
}

/// Lambda functions.
#[async_trait]
pub trait Functions: Send + Sync + std::fmt::Debug {
    /// Returns the function as it is now, pinned to a version, or `None` if there is none.
    async fn describe(&self, function_arn: &str) -> Result<Option<Function>, FunctionError>;

    /// Hands `payload` over for an asynchronous invocation of `attempt`. Returns its request id,
    /// which Lambda's record of the invocation will carry.
    ///
    /// Twice: the function runs twice, and one result counts.
    async fn invoke(
        &self,
        invoke_arn: &str,
        payload: &Value,
        attempt: &AttemptName,
    ) -> Result<String, FunctionError>;
}
