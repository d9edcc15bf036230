//! Triggers in memory.

use async_trait::async_trait;
use parking_lot::Mutex;
use sidestep_core::event::trigger::Trigger;
use sidestep_engine::ports::executions::TableError;
use sidestep_engine::ports::triggers::TriggerStore;

/// The registered triggers.
#[derive(Debug, Default)]
pub struct MemoryTriggers {
    triggers: Mutex<Vec<Trigger>>,
}

#[async_trait]
impl TriggerStore for MemoryTriggers {
    async fn triggers(&self, bucket: &str) -> Result<Vec<Trigger>, TableError> {
        let triggers = self.triggers.lock();
        Ok(triggers.iter().filter(|trigger| trigger.bucket == bucket).cloned().collect())
    }

    async fn replace_triggers(&self, triggers: &[Trigger]) -> Result<(), TableError> {
        *self.triggers.lock() = triggers.to_vec();
        Ok(())
    }
}
