//! The cache index as a whole, for the commands that list or clear it.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use sidestep_core::cache::key::CacheKey;
use sidestep_core::execution::commit::{CacheEntry, Outputs};
use sidestep_core::execution::witness::{Role, Witness};
use sidestep_core::uri::S3Uri;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::ports::objects::StoreError;

/// Requests at the same time.
pub(crate) const PARALLEL: usize = 64;

impl Engine {
    /// Returns all entries, newest first. Reads the whole table.
    pub async fn cache_entries(&self) -> Result<Vec<CacheEntry>, EngineError> {
        let (mut entries, mut after) = (Vec::new(), None);
        loop {
            let page = self.cache.page(after.as_ref()).await?;
            entries.extend(page.entries);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        entries.sort_by_cached_key(|entry| (std::cmp::Reverse(entry.created_at_ms), entry.key()));
        Ok(entries)
    }

    /// Removes the entries under these keys. A key without an entry is fine.
    pub async fn remove_cache_entries(&self, keys: &[CacheKey]) -> Result<(), EngineError> {
        let removed = stream::iter(keys).map(|key| self.cache.remove(key));
        Ok(removed.buffer_unordered(PARALLEL).try_collect().await?)
    }

    /// Returns the objects that these entries need and that no longer exist.
    pub async fn gone(&self, entries: &[CacheEntry]) -> Result<BTreeSet<S3Uri>, EngineError> {
        let uris: BTreeSet<S3Uri> = entries.iter().flat_map(parts).collect();
        let looked_up = stream::iter(uris).map(|uri| async move {
            match self.objects.head(&uri).await {
                Ok(Some(_)) => Ok(None),
                Ok(None) | Err(StoreError::NoSuchBucket { .. }) => Ok(Some(uri)),
                Err(error) => Err(EngineError::from(error)),
            }
        });
        let found: Vec<_> = looked_up.buffer_unordered(PARALLEL).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// Returns the objects without which an entry is of no use: its artifacts, the manifest with its
/// outputs, and what its step wrote or named besides.
pub fn parts(entry: &CacheEntry) -> Vec<S3Uri> {
    let artifacts = entry.produced.artifacts.iter().map(|artifact| artifact.uri.clone());
    let manifest = match &entry.produced.outputs {
        Outputs::Stored(uri) => Some(uri.clone()),
        Outputs::Inline(_) => None,
    };
    let left = entry.witnesses.iter().filter(|witness| is_left(witness));
    artifacts.chain(manifest).chain(left.map(|witness| witness.uri.clone())).collect()
}

/// Returns true if the step left an object there.
fn is_left(witness: &Witness) -> bool {
    let is_object = |digest: &String| !digest.starts_with("listing:");
    witness.role != Role::Read && witness.digest.as_ref().is_some_and(is_object)
}
