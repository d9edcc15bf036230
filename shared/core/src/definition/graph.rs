//! The pipeline as a graph: the steps that wait for each other, at any distance.
//!
//! An edge leads from a step to each dependency and, in a branch, to the enclosing Condition step.

use std::collections::{BTreeSet, VecDeque};

use crate::definition::expression::{Expression, Reference};
use crate::definition::{Pipeline, Step, StepIndex};
use crate::name::ParameterName;

/// The edges of a pipeline in both directions.
#[derive(Debug, Clone)]
pub struct Graph {
    upstream: Vec<Vec<StepIndex>>,
    downstream: Vec<Vec<StepIndex>>,
}

/// A direction along the edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards the steps that a step waits for.
    Upstream,
    Downstream,
}

impl Graph {
    pub fn new(pipeline: &Pipeline) -> Self {
        let upstream: Vec<Vec<StepIndex>> = pipeline
            .steps
            .iter()
            .map(|step| {
                let parent = step.parent.map(|parent| parent.condition);
                let mut edges: Vec<_> = step.dependencies.iter().copied().chain(parent).collect();
                edges.sort_unstable();
                edges.dedup();
                edges
            })
            .collect();
        let mut downstream = vec![Vec::new(); upstream.len()];
        for (step, edges) in upstream.iter().enumerate() {
            for edge in edges {
                downstream[edge.0].push(StepIndex(step));
            }
        }
        Self { upstream, downstream }
    }

    /// Returns the direct neighbours of `step`.
    pub fn edges(&self, step: StepIndex, direction: Direction) -> &[StepIndex] {
        match direction {
            Direction::Upstream => &self.upstream[step.0],
            Direction::Downstream => &self.downstream[step.0],
        }
    }

    /// Returns all steps within `distance` edges of `from`. A step of `from` is included only if
    /// another one leads to it.
    pub fn reach(
        &self,
        from: impl IntoIterator<Item = StepIndex>,
        direction: Direction,
        distance: usize,
    ) -> BTreeSet<StepIndex> {
        self.reach_without(from, direction, distance, &|_| false)
    }

    /// Does the same as [`Graph::reach`] in a graph without the steps for which `is_cut` is true.
    pub fn reach_without(
        &self,
        from: impl IntoIterator<Item = StepIndex>,
        direction: Direction,
        distance: usize,
        is_cut: &dyn Fn(StepIndex) -> bool,
    ) -> BTreeSet<StepIndex> {
        let mut found = BTreeSet::new();
        let mut queue: VecDeque<_> = from.into_iter().map(|step| (step, 0)).collect();
        while let Some((step, away)) = queue.pop_front() {
            if away == distance {
                continue;
            }
            for next in self.edges(step, direction) {
                if !is_cut(*next) && found.insert(*next) {
                    queue.push_back((*next, away + 1));
                }
            }
        }
        found
    }
}

/// Calls `visit` for each expression of a step: in arguments, conditions, message and `When`.
pub fn expressions<'a>(step: &'a Step, visit: &mut dyn FnMut(&'a Expression)) {
    step.kind.expressions(visit);
    for condition in step.when.iter().flat_map(|when| &when.conditions) {
        condition.expressions(visit);
    }
}

/// Returns the parameters that `step` itself reads, also through the experiment's names.
pub fn parameters_read(pipeline: &Pipeline, step: StepIndex) -> BTreeSet<ParameterName> {
    let mut read = BTreeSet::new();
    let mut reads_experiment = false;
    expressions(pipeline.step(step), &mut |expression| {
        expression.references(&mut |reference| match reference {
            Reference::Parameter(name) => drop(read.insert(name.clone())),
            Reference::Experiment(_) => reads_experiment = true,
            Reference::Step { .. } | Reference::Execution(_) => {}
        });
    });
    for config in pipeline.experiment.iter().filter(|_| reads_experiment) {
        for expression in [&config.experiment_name, &config.trial_name] {
            expression.references(&mut |reference| {
                if let Reference::Parameter(name) = reference {
                    read.insert(name.clone());
                }
            });
        }
    }
    read
}

/// Returns the parameters that `step` or any step upstream of it reads.
pub fn parameters_behind(
    pipeline: &Pipeline,
    graph: &Graph,
    step: StepIndex,
) -> BTreeSet<ParameterName> {
    let upstream = graph.reach([step], Direction::Upstream, usize::MAX);
    upstream.into_iter().chain([step]).flat_map(|step| parameters_read(pipeline, step)).collect()
}
