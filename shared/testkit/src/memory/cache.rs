//! The cache index in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use sidestep_core::cache::key::CacheKey;
use sidestep_core::execution::commit::CacheEntry;
use sidestep_engine::ports::cache_index::{CacheIndex, CachePage, Cursor};
use sidestep_engine::ports::executions::TableError;

/// Entries of one page, so few that a reader of all has to go on.
const PAGE: usize = 2;

/// Entries by key.
#[derive(Debug, Default)]
pub struct MemoryCache {
    entries: Mutex<BTreeMap<String, CacheEntry>>,
}

impl MemoryCache {
    /// Returns all entries, in order of key.
    pub fn all(&self) -> Vec<CacheEntry> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, CacheEntry>> {
        self.entries.lock()
    }
}

#[async_trait]
impl CacheIndex for MemoryCache {
    async fn entries(&self, keys: &[CacheKey]) -> Result<Vec<CacheEntry>, TableError> {
        let entries = self.lock();
        Ok(keys.iter().filter_map(|key| entries.get(key.as_str()).cloned()).collect())
    }

    async fn publish(&self, entry: &CacheEntry) -> Result<Option<CacheEntry>, TableError> {
        Ok(self.lock().insert(entry.key().to_string(), entry.clone()))
    }

    async fn page(&self, after: Option<&Cursor>) -> Result<CachePage, TableError> {
        let start = after.map_or(Bound::Unbounded, |cursor| Bound::Excluded(cursor.0.as_str()));
        let entries = self.lock();
        let range = entries.range::<str, _>((start, Bound::Unbounded));
        let page: Vec<_> = range.take(PAGE).collect();
        let is_full = page.len() == PAGE;
        let next = page.last().filter(|_| is_full).map(|(key, _)| Cursor((*key).clone()));
        Ok(CachePage { entries: page.into_iter().map(|(_, entry)| entry.clone()).collect(), next })
    }

    async fn touch(&self, key: &CacheKey, at_ms: u64) -> Result<(), TableError> {
        if let Some(entry) = self.lock().get_mut(key.as_str()) {
            entry.used_at_ms = Some(at_ms);
        }
        Ok(())
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), TableError> {
        self.lock().remove(key.as_str());
        Ok(())
    }
}
