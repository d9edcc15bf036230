//! Reads what a new execution will most likely need, before its first plan.
//!
//! A cache key depends on the results of the steps before, so a plan learns the keys of a deep
//! chain level by level. If nothing has changed, the last execution of the pipeline had the same
//! keys. Its entries and their artifacts are read in two round trips, however deep the chain. A
//! useless one costs a read.

use sidestep_core::cache::key::CacheKey;
use sidestep_core::definition::Pipeline;
use sidestep_core::execution::commit::{AttemptResult, Commit, Verdict};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::execution::start::Start;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::change::change;
use sidestep_core::plan::facts::{Facts, Need};

use crate::engine::Engine;
use crate::error::EngineError;

/// The number of cached steps from which on it pays to read the last execution.
const WORTH_IT: usize = 3;

impl Engine {
    /// Returns the newest executions of a pipeline, which a new one most likely resembles. Returns
    /// none if it does not pay to read one.
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

    /// Returns facts that the first plan of an execution will most likely need.
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
        // The entries name the same artifacts, unless one was replaced since.
        let artifacts = commits.iter().flat_map(artifacts);
        let needs = keys.chain(artifacts.map(|artifact| Need::Content(artifact.uri.clone())));
        self.gather(&start.execution_id, &needs.collect(), &mut facts).await?;
        let entries = facts.cache.values().flatten();
        let needs = entries.filter_map(|entry| change(entry, &facts).err()).flatten().collect();
        self.gather(&start.execution_id, &needs, &mut facts).await?;
        Ok(facts)
    }
}

/// Returns the artifacts of the succeeded steps and cache hits in a commit.
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
