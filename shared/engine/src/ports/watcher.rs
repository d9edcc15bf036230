//! The port to a watcher of executions, such as EventBridge or a log.

use async_trait::async_trait;
use sidestep_core::view::status_change::StatusChange;

use crate::ports::source::BoxError;

/// Takes changes of status.
///
/// A change is told once, after its commit. A crash in between loses it, as EventBridge may.
#[async_trait]
pub trait Watcher: Send + Sync + std::fmt::Debug {
    async fn changed(&self, changes: &[StatusChange]) -> Result<(), BoxError>;
}
