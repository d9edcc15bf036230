//! Which outputs a pipeline reads, and which of them a step has to return.
//!
//! This is the one place that says when a declared output may be absent. It holds for results that
//! functions report on either road, for answers to callbacks, for cached results and for repairs. A
//! `null` is not absent: it converts to no type, so it is refused in any case.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::definition::expression::{Expression, Reference};
use crate::definition::graph::expressions;
use crate::definition::property_path::Segment;
use crate::definition::trigger::Trigger;
use crate::definition::{Branch, Pipeline, StepIndex};
use crate::name::StepName;

/// A declared output that is absent although a step is certain to read it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("output `{output}` is declared and was not returned, and step `{reader}` reads it")]
pub struct MissingOutput {
    pub output: String,
    pub reader: StepName,
}

/// Returns the first declared output of `step` that `outputs` lacks and that a step is certain to
/// read: one that starts whenever `step` has succeeded, as far as branches and `When` decide.
///
/// A reader in a branch may never come to read, so it fails only once it does.
pub fn missing_output(
    pipeline: &Pipeline,
    step: StepIndex,
    outputs: &Map<String, Value>,
) -> Option<MissingOutput> {
    let declared = pipeline.step(step).outputs();
    let absent: Vec<_> = declared.iter().filter(|it| !outputs.contains_key(&it.name)).collect();
    if absent.is_empty() {
        return None;
    }
    let around = branches(pipeline, step);
    let readers = pipeline.indexes().filter(|reader| {
        let definition = pipeline.step(*reader);
        let is_after_failure =
            matches!(definition.trigger(step), Trigger::Failed | Trigger::Stopped);
        definition.dependencies.contains(&step)
            && !is_after_failure
            && branches(pipeline, *reader).is_subset(&around)
    });
    for reader in readers {
        let read = certain_reads(pipeline, reader);
        let missing = absent.iter().find(|it| read.contains(&(step, it.name.clone())));
        if let Some(missing) = missing {
            let reader = pipeline.step(reader).name.clone();
            return Some(MissingOutput { output: missing.name.clone(), reader });
        }
    }
    None
}

/// Returns the outputs of other steps that `reader` refers to.
pub fn outputs_read(pipeline: &Pipeline, reader: StepIndex) -> BTreeSet<(StepIndex, String)> {
    let mut read = BTreeSet::new();
    expressions(pipeline.step(reader), &mut |expression| collect(pipeline, expression, &mut read));
    read
}

/// Returns the outputs that `reader` reads whenever its turn comes: if it has a `When`, those of
/// its conditions.
fn certain_reads(pipeline: &Pipeline, reader: StepIndex) -> BTreeSet<(StepIndex, String)> {
    let Some(when) = &pipeline.step(reader).when else { return outputs_read(pipeline, reader) };
    let mut read = BTreeSet::new();
    for condition in &when.conditions {
        condition.expressions(&mut |expression| collect(pipeline, expression, &mut read));
    }
    read
}

fn collect(pipeline: &Pipeline, expression: &Expression, read: &mut BTreeSet<(StepIndex, String)>) {
    expression.references(&mut |reference| {
        if let Reference::Step { step, path } = reference
            && let [Segment::Key(root), Segment::Key(name)] = path.0.as_slice()
            && root == "OutputParameters"
            && let Some(index) = pipeline.find(step)
        {
            read.insert((index, name.clone()));
        }
    });
}

/// Returns the branches around a step: each Condition step, and whether it is its `If` branch.
fn branches(pipeline: &Pipeline, step: StepIndex) -> BTreeSet<(StepIndex, bool)> {
    let mut found = BTreeSet::new();
    let mut around = pipeline.step(step).parent;
    while let Some(parent) = around {
        found.insert((parent.condition, parent.branch == Branch::If));
        around = pipeline.step(parent.condition).parent;
    }
    found
}
