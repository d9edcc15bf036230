//! The port to the service of jobs: requests and answers as JSON.
//!
//! Bodies pass as they are. A client with a type for each request would lose the members that it
//! does not know, and those are the newest ones.

use async_trait::async_trait;
use serde_json::Value;
use sidestep_core::job::refusal::Refused;

use crate::ports::source::BoxError;

/// A call that brought no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobsError {
    #[error("{operation} was refused with {}: {}", .refused.code, .refused.message)]
    Refused { operation: String, refused: Refused },
    /// Whether the call arrived is unknown. The adapter has used up its own retries.
    #[error("could not call {operation}")]
    Unavailable { operation: String, source: BoxError },
}

/// The service of jobs.
#[async_trait]
pub trait Jobs: Send + Sync + std::fmt::Debug {
    /// Calls an operation of `service`, which is its name in signatures.
    ///
    /// Twice: an operation that creates refuses the second call, because a name is taken.
    async fn call(&self, service: &str, operation: &str, body: &Value) -> Result<Value, JobsError>;
}
