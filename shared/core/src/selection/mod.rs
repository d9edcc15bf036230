//! Selections: which steps run. Expands selectors, checks SageMaker's rules, and finds the results
//! that must come from elsewhere.
//!
//! The rules are those of Selective Execution (guide and API, `docs/selection.md`). Every step on a
//! path between two selected steps is selected too. Every step that a selected step reads is
//! selected too, or has a result in the source execution. Outputs that are supplied by hand take
//! the place of their step in both rules.

pub mod changed;
mod pattern;
pub mod selector;
mod selector_error;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::definition::graph::{Direction, Graph};
use crate::definition::output::convert_output;
use crate::definition::output_reads::outputs_read;
use crate::definition::{Pipeline, StepIndex, StepKind, StepType};
use crate::execution::past::{PastExecution, Standard};
use crate::execution::result::Supplied;
use crate::name::{ExecutionId, StepName};
use crate::parse::suggest::list;
use crate::selection::selector::{PastSteps, Selector, SelectorError};

/// The error for a selection that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    #[error(transparent)]
    Selector(#[from] SelectorError),
    #[error("{count} selectors, over the limit of {limit}")]
    TooMany { count: usize, limit: usize },
    /// The wording after `null` is SageMaker's.
    #[error(
        "Invalid SourcePipelineExecutionArn: null. The selected steps [{}] have dependencies on [{}]",
        names(selected),
        names(missing)
    )]
    NoSource { selected: Vec<StepName>, missing: Vec<StepName> },
    #[error(
        "the selected steps are not connected: [{}] on paths between them must be selected too",
        names(missing)
    )]
    NotConnected {
        missing: Vec<StepName>,
        /// A selector that includes them.
        selector: String,
    },
    #[error("execution {execution_id} cannot be the source: {}", reasons(steps))]
    Unusable { execution_id: ExecutionId, steps: Vec<(StepName, String)> },
    #[error("step `{step}` is supplied, so it cannot run too")]
    SuppliedAndSelected { step: StepName },
    #[error("`{step}` cannot be supplied: there is no such step (steps: {steps})")]
    UnknownSupplied { step: String, steps: String },
    #[error("step `{step}` declares outputs, and none is supplied (outputs: {outputs})")]
    NothingSupplied { step: StepName, outputs: String },
    #[error("step `{step}` is a {step_type} step, which has no outputs that can be supplied")]
    NotSupplied { step: StepName, step_type: StepType },
    #[error("step `{step}` has no output `{output}` to supply (outputs: {outputs})")]
    UnknownOutput { step: StepName, output: String, outputs: String },
    #[error("output `{output}` of step `{step}`: {why}")]
    WrongOutput { step: StepName, output: String, why: String },
    #[error("outputs [{}] are read and not supplied, and there is no source execution", .outputs.join(", "))]
    MissingOutputs { outputs: Vec<String> },
    #[error("step `{step}` is forced, but not selected")]
    ForcedNotSelected { step: StepName },
}

fn names(steps: &[StepName]) -> String {
    steps.iter().map(StepName::as_str).collect::<Vec<_>>().join(", ")
}

fn reasons(steps: &[(StepName, String)]) -> String {
    let reasons = steps.iter().map(|(step, why)| format!("`{step}` {why} there"));
    reasons.collect::<Vec<_>>().join(", ")
}

impl SelectionError {
    /// Returns what the user can do instead.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSource { selected, missing } => {
                let selectors: Vec<_> =
                    selected.iter().map(|step| format!("--select +{step}")).collect();
                Some(format!(
                    "select them too with `{}`, name an execution with `--source`, or give their outputs with `--supply {}.OUTPUT=VALUE`",
                    selectors.join(" "),
                    missing.first()?
                ))
            }
            Self::NotConnected { selector, .. } => Some(format!(
                "`--select {selector}` includes them, unless `--exclude` removes them; outputs given with `--supply` also stand in for a step"
            )),
            Self::Unusable { steps, .. } => {
                let selectors: Vec<_> =
                    steps.iter().map(|(step, _)| format!("--select {step}")).collect();
                Some(format!(
                    "select what is missing too with `{}`, or name another execution with `--source`",
                    selectors.join(" ")
                ))
            }
            Self::ForcedNotSelected { step } => {
                Some(format!("select it too with `--select {step}`"))
            }
            Self::NothingSupplied { step, outputs } => {
                let output = outputs.split(',').next()?;
                Some(format!(
                    "give each with `--supply {step}.{output}=VALUE`, or all of them with `--supply {step}=@FILE`"
                ))
            }
            Self::MissingOutputs { outputs } => {
                Some(format!("give it with `--supply {}=VALUE`", outputs.first()?))
            }
            _ => None,
        }
    }
}

/// A step that a selected step reads, and that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    pub step: StepIndex,
    /// How it may have ended in the source execution, by the strictest of its readers.
    pub standard: Standard,
}

/// Returns the steps that selectors name: the union of `select`, or all steps, without those of
/// `exclude` and those that are supplied.
pub fn expand(
    pipeline: &Pipeline,
    select: &[Selector],
    exclude: &[Selector],
    supplied: &BTreeMap<StepIndex, Supplied>,
    past: Option<&PastSteps>,
) -> Result<BTreeSet<StepIndex>, SelectionError> {
    let (count, limit) = (select.len() + exclude.len(), crate::limits::SELECTORS);
    if count > limit {
        return Err(SelectionError::TooMany { count, limit });
    }
    let graph = Graph::new(pipeline);
    let mut selected = BTreeSet::new();
    for selector in select {
        selected.append(&mut selector.expand(pipeline, &graph, past)?);
    }
    if select.is_empty() {
        selected.extend(pipeline.indexes());
    }
    for selector in exclude {
        for step in selector.expand(pipeline, &graph, past)? {
            selected.remove(&step);
        }
    }
    for step in supplied.keys() {
        let name = &pipeline.step(*step).name;
        // A wider selector may name a supplied step, which then does not run. A selector that names
        // the step alone contradicts it.
        if select.iter().any(|selector| selector.to_string() == name.as_str()) {
            return Err(SelectionError::SuppliedAndSelected { step: name.clone() });
        }
        selected.remove(step);
    }
    Ok(selected)
}

/// Checks that every step on a path between two selected steps is selected too.
pub fn check_connected(
    pipeline: &Pipeline,
    selected: &BTreeSet<StepIndex>,
    supplied: &BTreeMap<StepIndex, Supplied>,
) -> Result<(), SelectionError> {
    let graph = Graph::new(pipeline);
    let is_cut = |step: StepIndex| supplied.contains_key(&step);
    let reach =
        |direction| graph.reach_without(selected.iter().copied(), direction, usize::MAX, &is_cut);
    let (down, up) = (reach(Direction::Downstream), reach(Direction::Upstream));
    let missing: Vec<_> =
        down.intersection(&up).filter(|step| !selected.contains(step)).copied().collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let nearest = |direction| {
        let around = graph.reach_without([*first], direction, usize::MAX, &is_cut);
        around.into_iter().find(|step| selected.contains(step))
    };
    let name = |step: StepIndex| pipeline.step(step).name.clone();
    let ends = nearest(Direction::Upstream).zip(nearest(Direction::Downstream));
    let selector = ends.map_or_else(
        || name(*first).to_string(),
        |(from, to)| format!("{}..{}", name(from), name(to)),
    );
    Err(SelectionError::NotConnected { missing: missing.into_iter().map(name).collect(), selector })
}

/// Returns the steps that the selected ones read directly, and that do not run and are not
/// supplied.
pub fn requirements(
    pipeline: &Pipeline,
    selected: &BTreeSet<StepIndex>,
    supplied: &BTreeMap<StepIndex, Supplied>,
) -> Vec<Requirement> {
    let graph = Graph::new(pipeline);
    let mut found: BTreeMap<StepIndex, Standard> = BTreeMap::new();
    for reader in selected {
        let step = pipeline.step(*reader);
        let read = outputs_read(pipeline, *reader);
        for edge in graph.edges(*reader, Direction::Upstream) {
            let is_supplied = supplied.get(edge).is_some_and(|supplied| {
                let mut outputs = read.iter().filter(|(step, _)| step == edge);
                outputs.all(|(_, output)| supplied.outputs.contains_key(output))
            });
            if selected.contains(edge) || is_supplied {
                continue;
            }
            let is_parent = step.parent.is_some_and(|parent| parent.condition == *edge);
            let standard = if is_parent {
                Standard::Result
            } else {
                Standard::of(step.trigger_rule, step.trigger(*edge))
            };
            let strictest = found.entry(*edge).or_insert(standard);
            *strictest = standard.min(*strictest);
        }
    }
    let requirement = |(step, standard)| Requirement { step, standard };
    found.into_iter().map(requirement).collect()
}

/// Refuses a selection that needs results but has no source.
pub fn check_without_source(
    pipeline: &Pipeline,
    selected: &BTreeSet<StepIndex>,
    supplied: &BTreeMap<StepIndex, Supplied>,
) -> Result<(), SelectionError> {
    let name = |step: StepIndex| pipeline.step(step).name.clone();
    let mut outputs = BTreeSet::new();
    for (step, output) in selected.iter().flat_map(|reader| outputs_read(pipeline, *reader)) {
        if supplied.get(&step).is_some_and(|supplied| !supplied.outputs.contains_key(&output)) {
            outputs.insert(format!("{}.{output}", name(step)));
        }
    }
    if !outputs.is_empty() {
        return Err(SelectionError::MissingOutputs { outputs: outputs.into_iter().collect() });
    }
    let missing = requirements(pipeline, selected, supplied);
    if !missing.is_empty() {
        let graph = Graph::new(pipeline);
        let reads = |reader: &&StepIndex| {
            let edges = graph.edges(**reader, Direction::Upstream);
            missing.iter().any(|requirement| edges.contains(&requirement.step))
        };
        let selected = selected.iter().filter(reads).map(|step| name(*step)).collect();
        let missing = missing.iter().map(|requirement| name(requirement.step)).collect();
        return Err(SelectionError::NoSource { selected, missing });
    }
    Ok(())
}

/// Checks that an execution has every result that is required of it.
pub fn check_source(
    pipeline: &Pipeline,
    requirements: &[Requirement],
    earlier: &PastExecution,
) -> Result<(), SelectionError> {
    let steps: Vec<_> = requirements
        .iter()
        .filter_map(|requirement| {
            let name = &pipeline.step(requirement.step).name;
            let why = earlier.unusable(name, requirement.standard)?;
            Some((name.clone(), why.to_owned()))
        })
        .collect();
    if steps.is_empty() {
        return Ok(());
    }
    Err(SelectionError::Unusable { execution_id: earlier.start.execution_id.clone(), steps })
}

/// Checks outputs that are given by hand, by step and output name, and converts them to their
/// declared types.
pub fn supply(
    pipeline: &Pipeline,
    given: &BTreeMap<String, Map<String, Value>>,
    by: &str,
) -> Result<BTreeMap<StepIndex, Supplied>, SelectionError> {
    let mut supplied = BTreeMap::new();
    for (name, outputs) in given {
        let found = StepName::parse(name).ok().and_then(|name| pipeline.find(&name));
        let index = found.ok_or_else(|| SelectionError::UnknownSupplied {
            step: name.chars().take(80).collect(),
            steps: list(pipeline.steps.iter().map(|step| step.name.as_str())),
        })?;
        let step = pipeline.step(index);
        if matches!(step.kind, StepKind::Condition { .. } | StepKind::Fail { .. }) {
            let (step, step_type) = (step.name.clone(), step.step_type());
            return Err(SelectionError::NotSupplied { step, step_type });
        }
        if outputs.is_empty() && !step.outputs().is_empty() {
            let outputs = list(step.outputs().iter().map(|declared| declared.name.as_str()));
            return Err(SelectionError::NothingSupplied { step: step.name.clone(), outputs });
        }
        let mut converted = Map::new();
        for (output, value) in outputs {
            let found = step.outputs().iter().find(|declared| declared.name == *output);
            let declared = found.ok_or_else(|| SelectionError::UnknownOutput {
                step: step.name.clone(),
                output: output.chars().take(80).collect(),
                outputs: list(step.outputs().iter().map(|declared| declared.name.as_str())),
            })?;
            let value = convert_output(value, declared.output_type).map_err(|why| {
                SelectionError::WrongOutput { step: step.name.clone(), output: output.clone(), why }
            })?;
            converted.insert(output.clone(), value);
        }
        supplied.insert(index, Supplied::new(converted, by));
    }
    Ok(supplied)
}
