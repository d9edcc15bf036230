//! The port to the user's files: whether what is registered is what the user has now.

use async_trait::async_trait;

use crate::ports::source::BoxError;

/// Looks at the user's files before a trigger starts something.
#[async_trait]
pub trait Freshness: Send + Sync + std::fmt::Debug {
    /// Brings pipelines, functions and triggers up to the user's files.
    ///
    /// Returns in words why that is impossible: then nothing is started, because what is registered
    /// is old. Twice: the second call finds nothing to do. After an error, the event is delivered
    /// again.
    async fn refresh(&self) -> Result<Option<String>, BoxError>;
}
