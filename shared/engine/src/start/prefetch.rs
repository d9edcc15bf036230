//! Asks for what a new execution will most likely need, all at once, before its first plan.
//!
//! A key depends on what the steps before it left, so a plan learns the keys of a deep chain one level after the other. The last
//! execution of the pipeline had the same keys if nothing has changed; its entries and their artifacts are asked for in two
//! round trips, however deep the chain. What turns out to be of no use cost a read.

use sidestep_core::cache::key::CacheKey;
use sidestep_core::definition::Pipeline;
use sidestep_core::execution::commit::{AttemptResult, Commit, Verdict};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::execution::start::Start;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::facts::{Facts, Need};

use crate::engine::Engine;
use crate::error::EngineError;

/// Cached steps from which on it pays to look at the last execution.
const WORTH_IT: usize = 3;

impl Engine {
    /// The newest executions of a pipeline, whose last one a new execution most likely resembles; none where it does not pay to look.
    pub(crate) async fn latest(
        &self,
        pipeline_name: &PipelineName,
        pipeline: &Pipeline,
        use_cache: bool,
    ) -> Result<Vec<ExecutionId>, EngineError> {
        let cached = pipeline.steps.iter().filter(|step| step.cache.is_some()).count();
        if !use_cache || cached < WORTH_IT {
            return Ok(Vec::new());
        }
        let lines = self.executions.list(Some(pipeline_name), 2).await?;
        Ok(lines.into_iter().map(|line| line.execution_id).collect())
    }

    /// Facts that the first plan of an execution will most likely need.
    pub(crate) async fn prefetch(
        &self,
        start: &Start,
        latest: &[ExecutionId],
    ) -> Result<Facts, EngineError> {
        let mut facts = Facts { now_ms: self.clock.now_ms(), ..Facts::default() };
        let Some(last) = latest.iter().find(|id| **id != start.execution_id) else {
            return Ok(facts);
        };
        let commits = self.executions.all_commits(last).await?;
        let keys = commits.iter().flat_map(keys).map(Need::CacheEntry);
        // Those that the entries will name, unless somebody has replaced one since.
        let artifacts = commits.iter().flat_map(artifacts);
        let needs = keys.chain(artifacts.map(|artifact| Need::Content(artifact.uri.clone())));
        self.gather(&start.execution_id, &needs.collect(), &mut facts).await?;
        let artifacts = facts.cache.values().flatten().flat_map(|entry| &entry.produced.artifacts);
        let others = artifacts.map(|artifact| artifact.uri.clone());
        let others = others.filter(|uri| !facts.contents.contains_key(uri)).map(Need::Content);
        let others = others.collect();
        self.gather(&start.execution_id, &others, &mut facts).await?;
        Ok(facts)
    }
}

/// What the cached steps left behind of which a commit speaks.
fn artifacts(commit: &Commit) -> Vec<&Artifact> {
    let completed = commit.completions.iter().filter_map(|completion| match &completion.result {
        AttemptResult::Succeeded(produced) => Some(produced),
        _ => None,
    });
    let hits = commit.decisions.iter().filter_map(|decision| match &decision.verdict {
        Verdict::CacheHit(hit) => Some(&hit.produced),
        _ => None,
    });
    completed.chain(hits).flat_map(|produced| &produced.artifacts).collect()
}

fn keys(commit: &Commit) -> Vec<CacheKey> {
    let parts = commit.decisions.iter().filter_map(|decision| match &decision.verdict {
        Verdict::Run(claim) => claim.cache.as_ref(),
        Verdict::CacheHit(hit) => Some(&hit.parts),
        _ => None,
    });
    parts.map(sidestep_core::cache::key::KeyParts::key).collect()
}
