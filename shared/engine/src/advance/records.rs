//! Plans, and writes what a plan needs to have stored before its commit.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::try_join_all;
use sidestep_core::cache::determinism::difference;
use sidestep_core::cache::key::CacheKey;
use sidestep_core::definition::Pipeline;
use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::{CacheEntry, Warning};
use sidestep_core::execution::start::Start;
use sidestep_core::plan::facts::Facts;
use sidestep_core::plan::{Event, Plan, Publication, plan};
use sidestep_core::uri::S3Uri;
use tracing::warn;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::ports::executions::TableError;

/// What was written before a commit, so that planning again does not write it again.
#[derive(Debug, Default)]
pub(crate) struct Records {
    manifests: BTreeSet<S3Uri>,
    published: BTreeSet<CacheKey>,
    pub(super) warnings: Vec<Warning>,
}

impl Engine {
    /// Plans until no fact is missing. With `records`, what may be written before the commit is
    /// written meanwhile.
    pub(crate) async fn plan(
        &self,
        pipeline: &Pipeline,
        start: &Start,
        execution: &Execution,
        events: &[Event],
        facts: &mut Facts,
        mut records: Option<&mut Records>,
    ) -> Result<Plan, EngineError> {
        facts.now_ms = self.clock.now_ms();
        facts.is_traced = self.is_traced;
        facts.touch_after_ms = self.touch_after_ms;
        loop {
            let plan = plan(pipeline, start, execution, events, facts);
            let write = async {
                match &mut records {
                    Some(records) => self.write_records(pipeline, &plan, records).await,
                    None => Ok(()),
                }
            };
            if plan.needs.is_empty() {
                write.await?;
                return Ok(plan);
            }
            futures::try_join!(write, self.gather(&start.execution_id, &plan.needs, facts))?;
        }
    }

    /// Writes manifests on behalf of functions, callback records and cache entries, each unless it
    /// was written before.
    async fn write_records(
        &self,
        pipeline: &Pipeline,
        plan: &Plan,
        records: &mut Records,
    ) -> Result<(), EngineError> {
        let manifests = plan.manifests.iter().filter(|(uri, _)| !records.manifests.contains(uri));
        try_join_all(manifests.map(|(uri, manifest)| async move {
            let bytes = serde_json::to_vec(manifest).expect("a manifest is plain JSON");
            self.objects.create(uri, Bytes::from(bytes), "application/json").await
        }))
        .await?;
        records.manifests.extend(plan.manifests.iter().map(|(uri, _)| uri.clone()));
        let callbacks = plan.callbacks.iter();
        try_join_all(callbacks.map(|(token, record)| self.executions.put_callback(token, record)))
            .await?;
        let fresh: Vec<_> = plan
            .publish
            .iter()
            .filter(|publication| !records.published.contains(&publication.entry.key()))
            .collect();
        let published = try_join_all(fresh.iter().map(|Publication { step, entry }| async move {
            let replaced = self.cache.publish(entry).await?;
            let declared = pipeline.step(*step).outputs();
            let differs = |previous: CacheEntry| difference(&previous, entry, declared);
            let Some(message) = replaced.and_then(differs) else { return Ok(None) };
            warn!(step_name = %entry.source.step_name, key = %entry.key(), "{message}");
            Ok::<_, TableError>(Some(Warning { step: *step, message }))
        }))
        .await?;
        records.published.extend(fresh.iter().map(|publication| publication.entry.key()));
        records.warnings.extend(published.into_iter().flatten());
        Ok(())
    }
}
