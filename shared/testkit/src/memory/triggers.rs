//! Triggers in memory.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use sidestep_engine::handle::trigger::{Trigger, TriggerStore};
use sidestep_engine::ports::executions::TableError;

/// The registered triggers.
#[derive(Debug, Default)]
pub struct MemoryTriggers {
    triggers: Mutex<Vec<Trigger>>,
}

#[async_trait]
impl TriggerStore for MemoryTriggers {
    async fn triggers(&self, bucket: &str) -> Result<Vec<Trigger>, TableError> {
        let triggers = self.triggers.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(triggers.iter().filter(|trigger| trigger.bucket == bucket).cloned().collect())
    }

    async fn replace_triggers(&self, triggers: &[Trigger]) -> Result<(), TableError> {
        *self.triggers.lock().unwrap_or_else(PoisonError::into_inner) = triggers.to_vec();
        Ok(())
    }
}
