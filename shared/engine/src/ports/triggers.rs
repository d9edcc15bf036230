//! The port to triggers.

use async_trait::async_trait;
use sidestep_core::event::trigger::Trigger;

use crate::ports::executions::TableError;

/// The registered triggers.
#[async_trait]
pub trait TriggerStore: Send + Sync + std::fmt::Debug {
    /// Returns the triggers of a bucket.
    async fn triggers(&self, bucket: &str) -> Result<Vec<Trigger>, TableError>;

    /// Replaces all triggers by `triggers`.
    async fn replace_triggers(&self, triggers: &[Trigger]) -> Result<(), TableError>;
}
