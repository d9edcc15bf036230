//! Changed steps: which steps differ from an earlier execution, for the selector `state:changed`.
//!
//! A step is compared as if everything upstream of it were as it was then. So a change is found
//! where it was made, and not in all steps that follow; `state:changed+` selects those too.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::graph::parameters_read;
use crate::definition::trigger::Trigger;
use crate::definition::{Pipeline, Step, StepIndex, StepKind};
use crate::execution::Execution;
use crate::execution::commit::{Commit, Decision, Verdict};
use crate::execution::past::PastExecution;
use crate::execution::phase::Phase;
use crate::execution::result::Reuse;
use crate::execution::start::Start;
use crate::plan::draft::Draft;
use crate::plan::facts::{Facts, Need};
use crate::plan::resolver::{Planned, Watch};
use crate::plan::work::{Asked, Work};

/// Returns the steps whose code, arguments or inputs differ from `earlier`. Fails with the facts
/// that have to be known first.
pub fn changed_steps(
    pipeline: &Pipeline,
    start: &Start,
    earlier: &PastExecution,
    facts: &Facts,
) -> Result<BTreeSet<StepIndex>, BTreeSet<Need>> {
    let undecided = Execution::new(pipeline.steps.len());
    let mut draft = Draft::new(pipeline, start, &undecided, facts);
    draft.plan.commit = results_of(pipeline, earlier);
    for decision in &draft.plan.commit.decisions {
        draft.states[decision.step.0].phase = decision.verdict.phase();
        draft.states[decision.step.0].revision = 1;
    }
    let is_changed = |step: &StepIndex| draft.is_changed(*step, earlier) == Ok(true);
    let changed = pipeline.indexes().filter(is_changed).collect();
    if draft.has_needs() { Err(draft.into_plan().needs) } else { Ok(changed) }
}

/// Returns the results of the earlier execution, as a commit that reuses every one of them.
fn results_of(pipeline: &Pipeline, earlier: &PastExecution) -> Commit {
    let reused = pipeline.indexes().filter_map(|index| {
        let result = earlier.result(&pipeline.step(index).name)?;
        let reuse = Reuse {
            reference: None,
            source: result.source,
            outcome: result.outcome,
            produced: result.produced,
            memory_mb: 0,
            supplied: None,
            parts: None,
            made_with: std::collections::BTreeMap::new(),
        };
        Some(Decision::new(index, Verdict::Reused(reuse), String::new()))
    });
    Commit { decisions: reused.collect(), ..Commit::new(1, 0) }
}

impl Draft<'_> {
    fn is_changed(&self, index: StepIndex, earlier: &PastExecution) -> Planned<bool> {
        let step = self.pipeline.step(index);
        let Some(then) = earlier.pipeline.find(&step.name) else { return Ok(true) };
        let (Some(config), Some(parts)) = (&step.cache, earlier.parts(&step.name)) else {
            return Ok(self.reads_otherwise(index, then, earlier));
        };
        let lambda = match &step.kind {
            StepKind::Lambda(lambda) => lambda,
            StepKind::Job(job) => {
                let Ok(new) = self.job_of(index, job)? else {
                    return Ok(self.reads_otherwise(index, then, earlier));
                };
                let asked = Asked { work: Work::Job(job, &new.name), arguments: &new.arguments };
                let now = self.key_parts(index, asked, config, &Watch::default())?;
                return Ok(now.as_ref() != Ok(parts));
            }
            _ => return Ok(self.reads_otherwise(index, then, earlier)),
        };
        // What the step reads may not exist; then only the texts can be compared.
        let Ok(arguments) = self.evaluate(index, &lambda.arguments)? else {
            return Ok(self.reads_otherwise(index, then, earlier));
        };
        // The code of a function that is left out here cannot be compared.
        let has_code = lambda.code_version.is_some()
            || self.start.functions.contains_key(&lambda.function_arn);
        let asked = Asked { work: Work::Lambda(lambda), arguments: &arguments };
        let now = self.key_parts(index, asked, config, &Watch::default())?;
        Ok(now.as_ref() != Ok(parts) && has_code)
    }

    /// Compares definition, code and parameters of a step that has no key to compare.
    fn reads_otherwise(&self, index: StepIndex, then: StepIndex, earlier: &PastExecution) -> bool {
        let (step, before) = (self.pipeline.step(index), earlier.pipeline.step(then));
        let is_same_text = step.kind == before.kind
            && step.when == before.when
            && step.trigger_rule == before.trigger_rule
            && triggers(self.pipeline, step) == triggers(&earlier.pipeline, before);
        let function = self.start.function(step);
        let digest = function.map(|function| function.code_digest.as_str());
        let is_same_code = digest == earlier.code_digest(&step.name);
        let read = parameters_read(self.pipeline, index);
        let parameter =
            |name| self.start.parameters.get(name) == earlier.start.parameters.get(name);
        !(is_same_text && is_same_code && read.iter().all(parameter))
    }
}

/// Returns the triggers of a step by the names of the steps that it waits for.
fn triggers<'a>(pipeline: &'a Pipeline, step: &Step) -> BTreeMap<&'a str, Trigger> {
    let triggers = step.triggers.iter();
    triggers.map(|(index, trigger)| (pipeline.step(*index).name.as_str(), *trigger)).collect()
}

/// Returns the steps that failed in an earlier execution, as far as the pipeline still has them.
pub fn failed_steps(pipeline: &Pipeline, earlier: &PastExecution) -> BTreeSet<StepIndex> {
    let failed =
        |index: &StepIndex| earlier.phase(&pipeline.step(*index).name) == Some(Phase::Failed);
    pipeline.indexes().filter(failed).collect()
}
