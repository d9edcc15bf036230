//! The index of the cache, behind faults.

use async_trait::async_trait;
use sidestep_core::cache::key::CacheKey;
use sidestep_core::execution::commit::CacheEntry;
use sidestep_engine::ports::cache_index::{CacheIndex, CachePage, Cursor};
use sidestep_engine::ports::executions::TableError;

use super::{Fault, Faulty, table};

#[async_trait]
impl CacheIndex for Faulty {
    async fn entries(&self, keys: &[CacheKey]) -> Result<Vec<CacheEntry>, TableError> {
        effect!(&self.world.sim, "entries", self.world.cache.entries(keys), table("read"))
    }

    async fn publish(&self, entry: &CacheEntry) -> Result<Option<CacheEntry>, TableError> {
        effect!(&self.world.sim, "publish", self.world.publish(entry), table("put"))
    }

    async fn page(&self, after: Option<&Cursor>) -> Result<CachePage, TableError> {
        effect!(&self.world.sim, "page", self.world.cache.page(after), table("scan"))
    }

    async fn touch(&self, key: &CacheKey, at_ms: u64) -> Result<(), TableError> {
        effect!(&self.world.sim, "touch", self.world.cache.touch(key, at_ms), table("update"))
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), TableError> {
        effect!(&self.world.sim, "remove", self.world.cache.remove(key), table("delete"))
    }
}
