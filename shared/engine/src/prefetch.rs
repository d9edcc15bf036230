//! Asks for what a new execution will most likely need, all at once, before its first plan.
//!
//! A key depends on what the steps before it left, so a plan learns the keys of a deep chain one level after the other. The last
//! execution of the pipeline had the same keys if nothing has changed; its entries and their artifacts are asked for in two
//! round trips, however deep the chain. What turns out to be of no use cost a read.

use std::collections::BTreeSet;

use sidestep_core::cache_key::CacheKey;
use sidestep_core::commit::{Commit, Verdict};
use sidestep_core::definition::Pipeline;
use sidestep_core::facts::{Facts, Need};
use sidestep_core::start::Start;

use crate::engine::{Engine, EngineError};

/// Cached steps from which on it pays to look at the last execution.
const WORTH_IT: usize = 3;

impl Engine {
    /// Facts that the first plan of an execution will most likely need.
    pub(crate) async fn prefetch(
        &self,
        start: &Start,
        pipeline: &Pipeline,
    ) -> Result<Facts, EngineError> {
        let mut facts = Facts { now_ms: self.clock.now_ms(), ..Facts::default() };
        let cached = pipeline.steps.iter().filter(|step| step.cache.is_some()).count();
        if !start.use_cache || cached < WORTH_IT {
            return Ok(facts);
        }
        let lines = self.executions.list(Some(&start.pipeline_name), 2).await?;
        let last = lines.into_iter().find(|line| line.execution_id != start.execution_id);
        let Some(last) = last else { return Ok(facts) };
        let commits = self.executions.all_commits(&last.execution_id).await?;
        let keys: BTreeSet<_> = commits.iter().flat_map(keys).map(Need::CacheEntry).collect();
        self.gather(&start.execution_id, &keys, &mut facts).await?;
        let artifacts = facts.cache.values().flatten().flat_map(|entry| &entry.produced.artifacts);
        let contents = artifacts.map(|artifact| Need::Content(artifact.uri.clone())).collect();
        self.gather(&start.execution_id, &contents, &mut facts).await?;
        Ok(facts)
    }
}

fn keys(commit: &Commit) -> Vec<CacheKey> {
    let parts = commit.decisions.iter().filter_map(|decision| match &decision.verdict {
        Verdict::Run(claim) => claim.cache.as_ref(),
        Verdict::CacheHit(hit) => Some(&hit.parts),
        _ => None,
    });
    parts.map(sidestep_core::cache_key::KeyParts::key).collect()
}
