//! The suites that every table passes, in memory and in DynamoDB: executions, the cache index,
//! triggers, windows and registered pipelines.

#![expect(clippy::unwrap_used, reason = "a suite panics where a promise is broken")]

mod batches;
mod cache;
mod executions;
mod pipelines;
mod triggers;

pub use self::batches::suite as batch_suite;
pub use self::cache::suite as cache_suite;
pub use self::executions::suite as execution_suite;
pub use self::pipelines::suite as pipeline_suite;
pub use self::triggers::suite as trigger_suite;

#[cfg(test)]
mod tests {
    use crate::memory::{MemoryBatches, MemoryCache, MemoryPipelines, MemoryTable, MemoryTriggers};

    #[tokio::test]
    async fn the_table_in_memory_passes_the_suite_of_executions() {
        super::execution_suite(&MemoryTable::default()).await;
    }

    #[tokio::test]
    async fn the_cache_in_memory_passes_its_suite() {
        super::cache_suite(&MemoryCache::default()).await;
    }

    #[tokio::test]
    async fn the_pipelines_in_memory_pass_their_suite() {
        super::pipeline_suite(&MemoryPipelines::default()).await;
    }

    #[tokio::test]
    async fn the_triggers_in_memory_pass_their_suite() {
        super::trigger_suite(&MemoryTriggers::default()).await;
    }

    #[tokio::test]
    async fn the_windows_in_memory_pass_their_suite() {
        super::batch_suite(&MemoryBatches::default()).await;
    }
}
