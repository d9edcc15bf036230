//! Garbage collection: reads what is stored, asks [`sidestep_core::cache::garbage`] what is not
//! needed, and removes it.
//!
//! Entries are removed before executions and objects are read. An execution that begins meanwhile
//! can thus only use entries that stay, and those keep their objects. One gap remains: an execution
//! that has read an entry just before its removal, and has not committed that yet, may lose an
//! artifact of a result that is older than the cut-off.

use futures::{StreamExt, TryStreamExt, stream};
use sidestep_core::cache::garbage::{
    KnownEntry, KnownExecution, Needs, Staleness, StoredObject, may_go, results, staleness,
    unneeded,
};
use sidestep_core::cache::key::CacheKey;
use sidestep_core::execution::commit::{CacheEntry, Outputs};
use sidestep_core::execution::past::PastExecution;
use sidestep_core::name::ExecutionId;
use sidestep_core::uri::S3Uri;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::read::cache::{PARALLEL, parts};

/// Says if anything is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Remove,
    /// Only return what would be removed.
    DryRun,
}

/// The entries and objects that were removed, or would be.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    pub entries: Vec<(CacheEntry, Staleness)>,
    pub objects: Vec<StoredObject>,
    /// Entries that stay.
    pub remaining_entries: usize,
}

impl Engine {
    /// Removes old cache entries and the objects that are no longer needed.
    ///
    /// An entry is removed if it was neither made nor used since the cut-off, or has lost an
    /// object. An object is removed if its execution has ended and began before the cut-off, and if
    /// no remaining entry, no live execution and no execution after the cut-off needs it.
    ///
    /// Twice: the second call finds nothing. Stopped half-way: a second call removes the rest.
    pub async fn collect_garbage(
        &self,
        cut_off_ms: u64,
        mode: Mode,
    ) -> Result<Collected, EngineError> {
        let entries = self.cache_entries().await?;
        let gone = self.gone(&entries).await?;
        let known = self.known_entries(&entries, |uri| gone.contains(uri)).await?;
        let stale: Vec<_> = known.iter().map(|entry| staleness(entry, cut_off_ms)).collect();
        let judged = entries.into_iter().zip(&stale);
        let going: Vec<_> = judged.filter_map(|(entry, stale)| Some((entry, (*stale)?))).collect();
        let keys: Vec<CacheKey> = going.iter().map(|(entry, _)| entry.key()).collect();
        let remaining = if mode == Mode::Remove {
            self.remove_cache_entries(&keys).await?;
            let remaining = self.cache_entries().await?;
            self.known_entries(&remaining, |_| false).await?
        } else {
            let kept = known.into_iter().zip(&stale).filter(|(_, stale)| stale.is_none());
            kept.map(|(entry, _)| entry).collect()
        };

        let executions = self.listed_executions(cut_off_ms).await?;
        let bucket = &self.deployment.artifact_bucket;
        let runs = S3Uri::new(bucket.clone(), "runs/");
        let listed = self.objects.list(&runs, usize::MAX).await?;
        let stored: Vec<_> = listed
            .into_iter()
            .map(|(key, facts)| StoredObject {
                uri: S3Uri::new(bucket.clone(), key),
                bytes: facts.bytes,
            })
            .collect();
        // Most collections find nothing, and then no execution has to be read.
        let executions = if may_go(bucket, cut_off_ms, &executions, &stored) {
            self.with_needs(cut_off_ms, executions).await?
        } else {
            executions
        };
        let objects = unneeded(bucket, cut_off_ms, &remaining, &executions, &stored);
        if mode == Mode::Remove {
            let removed = stream::iter(&objects).map(|object| self.objects.delete(&object.uri));
            removed.buffer_unordered(PARALLEL).try_collect::<()>().await?;
        }
        let objects = objects.into_iter().cloned().collect();
        Ok(Collected { entries: going, objects, remaining_entries: remaining.len() })
    }

    async fn known_entries(
        &self,
        entries: &[CacheEntry],
        is_gone: impl Fn(&S3Uri) -> bool,
    ) -> Result<Vec<KnownEntry>, EngineError> {
        let known = stream::iter(entries).map(|entry| async {
            let mut needs = Needs::default();
            let source = &entry.source;
            needs.add(
                Some((source.execution_id.clone(), source.step_name.clone())),
                &entry.produced,
            );
            self.add_stored(&entry.produced.outputs, &mut needs).await?;
            Ok::<_, EngineError>(KnownEntry {
                key: entry.key(),
                last_used_ms: entry.last_used_ms(),
                is_whole: !parts(entry).iter().any(&is_gone),
                needs,
            })
        });
        known.buffered(PARALLEL).try_collect().await
    }

    /// Returns every execution that the table lists, and every live one, without their needs.
    async fn listed_executions(&self, cut_off_ms: u64) -> Result<Vec<KnownExecution>, EngineError> {
        let listed = self.executions.list(None, usize::MAX).await?;
        let live = self.executions.live().await?;
        // The list may not have the line of a live execution yet.
        let unlisted_ids =
            live.iter().filter(|id| !listed.iter().any(|line| line.execution_id == **id));
        let unlisted = unlisted_ids.map(|id| KnownExecution {
            execution_id: id.clone(),
            started_at_ms: cut_off_ms,
            is_over: false,
            needs: Needs::default(),
        });
        let listed = listed.iter().map(|line| KnownExecution {
            execution_id: line.execution_id.clone(),
            started_at_ms: line.started_at_ms,
            is_over: line.status.is_over() && !live.contains(&line.execution_id),
            needs: Needs::default(),
        });
        Ok(listed.chain(unlisted).collect())
    }

    /// Reads what the executions need that are not past.
    async fn with_needs(
        &self,
        cut_off_ms: u64,
        executions: Vec<KnownExecution>,
    ) -> Result<Vec<KnownExecution>, EngineError> {
        let known = stream::iter(executions).map(|mut execution| async {
            if !execution.is_past(cut_off_ms) {
                execution.needs = self.needs(&execution).await?;
            }
            Ok::<_, EngineError>(execution)
        });
        known.buffer_unordered(PARALLEL).try_collect().await
    }

    /// Returns the objects that an execution needs.
    async fn needs(&self, execution: &KnownExecution) -> Result<Needs, EngineError> {
        let mut needs = Needs::default();
        let Some(earlier) = self.read_if_there(&execution.execution_id).await? else {
            return Ok(needs);
        };
        self.add_results(&earlier, &mut needs).await?;
        earlier.start.parameters.values().for_each(|value| needs.add_value(value));
        if !execution.is_over {
            // The execution may still take results from its source and its baseline.
            let source = earlier.start.selection.as_ref().and_then(|s| s.source.as_ref());
            for id in source.into_iter().chain(&earlier.start.baseline) {
                if let Some(earlier) = self.read_if_there(id).await? {
                    self.add_results(&earlier, &mut needs).await?;
                }
            }
        }
        Ok(needs)
    }

    /// Reads a whole execution. Returns `None` if it cannot be read, because a crash between its
    /// first writes left it without results.
    async fn read_if_there(
        &self,
        id: &ExecutionId,
    ) -> Result<Option<std::sync::Arc<PastExecution>>, EngineError> {
        match self.earlier(id).await {
            Err(EngineError::ExecutionNotFound(_)) => Ok(None),
            result => result.map(Some),
        }
    }

    async fn add_results(
        &self,
        earlier: &PastExecution,
        needs: &mut Needs,
    ) -> Result<(), EngineError> {
        for (place, produced) in results(earlier) {
            needs.add(place, produced);
            self.add_stored(&produced.outputs, needs).await?;
        }
        Ok(())
    }

    /// Adds the URIs in outputs that are stored in a manifest. A missing or damaged manifest has
    /// none.
    async fn add_stored(&self, outputs: &Outputs, needs: &mut Needs) -> Result<(), EngineError> {
        if let Outputs::Stored(uri) = outputs
            && let Ok(document) = self.document(uri).await?
        {
            needs.add_value(&document["Outputs"]);
        }
        Ok(())
    }
}
