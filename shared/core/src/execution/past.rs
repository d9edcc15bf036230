//! An earlier execution of the same pipeline, as the present one sees it. Results are found by step
//! name, because the definition may have changed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cache::key::KeyParts;
use crate::definition::extension::TriggerRule;
use crate::definition::graph::{Graph, parameters_behind};
use crate::definition::trigger::Trigger;
use crate::definition::{Pipeline, StepIndex};
use crate::execution::Execution;
use crate::execution::commit::{AttemptResult, Commit, Decision, Verdict};
use crate::execution::phase::Phase;
use crate::execution::result::{Outputs, Produced, Source};
use crate::execution::start::Start;
use crate::name::{ParameterName, StepName};

/// An earlier execution with all its commits.
#[derive(Debug, Clone)]
pub struct PastExecution {
    pub start: Start,
    pub pipeline: Pipeline,
    pub execution: Execution,
    pub commits: Vec<Commit>,
}

/// The result of a step of an earlier execution.
#[derive(Debug, Clone, PartialEq)]
pub struct PastResult {
    pub produced: Produced,
    /// The outcome of a Condition step.
    pub outcome: Option<bool>,
    /// The place where a function made it; absent if no function did.
    pub source: Option<Source>,
    pub memory_mb: u32,
    /// The parts of its cache key; absent if the step was not cached.
    pub parts: Option<KeyParts>,
    /// The parameters that it depends on, as they were when it was made.
    pub made_with: BTreeMap<ParameterName, Value>,
}

impl PastExecution {
    /// Folds the commits in order, up to the first that does not follow.
    pub fn new(start: Start, pipeline: Pipeline, mut commits: Vec<Commit>) -> Self {
        let mut execution = Execution::new(pipeline.steps.len());
        let legal = commits.iter().take_while(|commit| execution.apply(commit).is_ok()).count();
        commits.truncate(legal);
        Self { start, pipeline, execution, commits }
    }

    pub fn phase(&self, name: &StepName) -> Option<Phase> {
        Some(self.execution.step(self.pipeline.find(name)?).phase)
    }

    /// Returns the last decision about a step.
    pub fn decision(&self, step: StepIndex) -> Option<&Decision> {
        self.commits.iter().rev().find_map(|commit| commit.decision(step))
    }

    /// Returns the digest behind the value of a `Changed` condition, by the value's text.
    pub fn observed(&self, text: &str) -> Option<&str> {
        let decisions = self.commits.iter().flat_map(|commit| &commit.decisions);
        let mut found = decisions.filter_map(|decision| decision.observed.get(text));
        found.next_back().map(String::as_str)
    }

    /// Returns the code digest of the function that a Lambda step had.
    pub fn code_digest(&self, name: &StepName) -> Option<&str> {
        let step = self.pipeline.step(self.pipeline.find(name)?);
        Some(self.start.function(step)?.code_digest.as_str())
    }

    /// Returns the key parts of a step, whether it then ran, failed or was a hit.
    pub fn parts(&self, name: &StepName) -> Option<&KeyParts> {
        match &self.decision(self.pipeline.find(name)?)?.verdict {
            Verdict::Run(claim) => claim.cache.as_ref(),
            Verdict::CacheHit(hit) => Some(&hit.parts),
            Verdict::Reused(reuse) => reuse.parts.as_ref(),
            _ => None,
        }
    }

    /// Returns the result of a step, if it succeeded or something stood in for it.
    pub fn result(&self, name: &StepName) -> Option<PastResult> {
        let index = self.pipeline.find(name)?;
        let phase = self.execution.step(index).phase;
        if !phase.has_succeeded() {
            return None;
        }
        let decision = self.decision(index)?;
        let nothing = Produced {
            outputs: Outputs::Inline(serde_json::Map::new()),
            artifacts: Vec::new(),
            duration_ms: 0,
        };
        match &decision.verdict {
            Verdict::CacheHit(hit) => Some(PastResult {
                produced: hit.produced.clone(),
                outcome: None,
                source: Some(hit.source.clone()),
                memory_mb: hit.memory_mb,
                parts: Some(hit.parts.clone()),
                made_with: self.parameters_behind(index),
            }),
            Verdict::Reused(reuse) => Some(PastResult {
                produced: reuse.produced.clone(),
                outcome: reuse.outcome,
                source: reuse.source.clone(),
                memory_mb: reuse.memory_mb,
                parts: reuse.parts.clone(),
                made_with: reuse.made_with.clone(),
            }),
            Verdict::Condition(outcome) => Some(PastResult {
                produced: nothing,
                outcome: Some(*outcome),
                source: None,
                memory_mb: 0,
                parts: None,
                made_with: self.parameters_behind(index),
            }),
            Verdict::Run(claim) => Some(PastResult {
                produced: self.completed(index)?.clone(),
                outcome: None,
                source: Some(Source {
                    pipeline_execution_arn: self.start.execution_arn(),
                    execution_id: self.start.execution_id.clone(),
                    step_name: name.clone(),
                }),
                memory_mb: self.start.memory_mb(self.pipeline.step(index)),
                parts: claim.cache.clone(),
                made_with: self.parameters_behind(index),
            }),
            _ => None,
        }
    }

    /// Returns why a step cannot stand in for one that a selected step reads, and `None` if it can.
    pub fn unusable(&self, name: &StepName, standard: Standard) -> Option<&'static str> {
        let phase = self.phase(name);
        let is_usable = match phase {
            Some(Phase::Skipped) => standard >= Standard::Skipped,
            Some(Phase::Failed) => standard >= Standard::Failed,
            Some(phase) => phase.has_succeeded() || standard == Standard::Any,
            None => false,
        };
        (!is_usable).then(|| how_it_ended(phase))
    }

    fn completed(&self, step: StepIndex) -> Option<&Produced> {
        let completions = self.commits.iter().flat_map(|commit| &commit.completions);
        let mut succeeded = completions.filter_map(|completion| match &completion.result {
            AttemptResult::Succeeded(produced) if completion.step == step => Some(produced),
            _ => None,
        });
        // A resumed execution may run a step again that had succeeded.
        succeeded.next_back()
    }

    fn parameters_behind(&self, step: StepIndex) -> BTreeMap<ParameterName, Value> {
        let mut names = parameters_behind(&self.pipeline, &Graph::new(&self.pipeline), step);
        names.retain(|name| !self.pipeline.parameters.iter().any(|p| p.no_echo && p.name == *name));
        let value = |name: ParameterName| {
            let value = self.start.parameters.get(&name)?.clone();
            Some((name, value))
        };
        names.into_iter().filter_map(value).collect()
    }
}

/// How a step may have ended in an earlier execution to stand in for one that a selected step waits
/// for, the strictest first. A step with a result may always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standard {
    Result,
    Skipped,
    Failed,
    Any,
}

impl Standard {
    /// Returns the standard of a step with this rule for one that it waits for with this trigger.
    pub fn of(rule: TriggerRule, trigger: Trigger) -> Self {
        match (rule, trigger) {
            (_, Trigger::Failed) => Self::Failed,
            (_, Trigger::Stopped | Trigger::Any) => Self::Any,
            (TriggerRule::AllSucceeded, Trigger::Completed) => Self::Result,
            (_, Trigger::Completed) => Self::Skipped,
        }
    }
}

/// Returns how a step ended that left no result, as the end of a sentence about it.
pub(crate) fn how_it_ended(phase: Option<Phase>) -> &'static str {
    match phase {
        None => "does not exist",
        Some(Phase::Failed) => "failed",
        Some(Phase::Skipped) => "was skipped",
        Some(Phase::NotSelected) => "was not selected",
        Some(_) => "has no result",
    }
}
