//! The port to the cache index, which all executions of a deployment share.

use async_trait::async_trait;
use sidestep_core::cache::key::CacheKey;
use sidestep_core::execution::commit::CacheEntry;

use crate::ports::executions::TableError;

/// Where a listing of the cache index goes on. Only the store that made it can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A part of the cache index.
#[derive(Debug, Clone, PartialEq)]
pub struct CachePage {
    pub entries: Vec<CacheEntry>,
    /// `None` after the last page.
    pub next: Option<Cursor>,
}

/// The cache index, shared by all executions of a deployment.
#[async_trait]
pub trait CacheIndex: Send + Sync + std::fmt::Debug {
    /// Returns the entries under these keys. A key without an entry is left out.
    async fn entries(&self, keys: &[CacheKey]) -> Result<Vec<CacheEntry>, TableError>;

    /// Writes an entry and returns the one that it replaced.
    ///
    /// If the two have different digests, the step is not deterministic.
    async fn publish(&self, entry: &CacheEntry) -> Result<Option<CacheEntry>, TableError>;

    /// Returns some entries, in no order, and where to go on. An empty page need not be the last.
    ///
    /// It may have to read the whole table, so only commands that list the index use it.
    async fn page(&self, after: Option<&Cursor>) -> Result<CachePage, TableError>;

    /// Records that the entry under a key was used, if there is one.
    ///
    /// Twice: the same again. Never: garbage collection takes the entry for older than it is.
    async fn touch(&self, key: &CacheKey, at_ms: u64) -> Result<(), TableError>;

    /// Removes the entry under a key, if there is one.
    async fn remove(&self, key: &CacheKey) -> Result<(), TableError>;
}
