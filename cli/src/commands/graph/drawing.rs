//! What every format draws: nodes, edges and marks.
//!
//! An edge leads from what a step waits for to the step. A step of a branch has an edge from its
//! condition, labelled with the outcome that leads there, unless it waits for another step of the
//! same branch: then that edge is implied and would only be in the way.

use sidestep_core::definition::{Branch, Pipeline, Step, StepIndex, StepType};
use sidestep_core::view::description::{ExecutionDescription, StepDescription};

/// A pipeline as nodes and edges.
#[derive(Debug)]
pub(crate) struct Drawing {
    pub(crate) title: String,
    /// In definition order.
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) step_type: StepType,
    /// What happened to the step, in an execution.
    pub(crate) mark: Option<Mark>,
}

/// What happened to a step.
#[derive(Debug)]
pub(crate) struct Mark {
    /// The decision, and the step's status if the decision does not imply it.
    pub(crate) text: String,
    pub(crate) tone: Tone,
    pub(crate) reason: String,
}

/// The colour of a mark. [`Mark::text`] always says the same in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    Run,
    CacheHit,
    Reused,
    Skipped,
    NotSelected,
    Failed,
    Waiting,
}

impl Tone {
    /// Returns the tone of a step with this decision.
    pub(crate) fn of(decision: &str, is_failed: bool) -> Self {
        match decision {
            _ if is_failed => Self::Failed,
            "Run" => Self::Run,
            "CacheHit" => Self::CacheHit,
            "Reused" => Self::Reused,
            "Skipped" => Self::Skipped,
            "NotSelected" => Self::NotSelected,
            _ => Self::Waiting,
        }
    }

    /// Returns the name, and a light colour behind black text.
    pub(crate) fn name_and_fill(self) -> (&'static str, &'static str) {
        match self {
            Self::Run => ("Run", "#cfe2ff"),
            Self::CacheHit => ("CacheHit", "#d1e7dd"),
            Self::Reused => ("Reused", "#c8f0f5"),
            Self::Skipped => ("Skipped", "#e2e3e5"),
            Self::NotSelected => ("NotSelected", "#f8f9fa"),
            Self::Failed => ("Failed", "#f8d7da"),
            Self::Waiting => ("Waiting", "#ffffff"),
        }
    }

    /// Returns true if the step had no part in the execution, so that its border is dashed.
    pub(crate) fn is_absent(self) -> bool {
        matches!(self, Self::Skipped | Self::NotSelected | Self::Waiting)
    }
}

/// An arrow between positions in [`Drawing::nodes`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// The outcome of the condition that leads to the step.
    pub(crate) label: Option<&'static str>,
}

impl Drawing {
    /// Draws a definition.
    pub(crate) fn of_pipeline(title: &str, pipeline: &Pipeline) -> Self {
        let node = |step: &Step| Node {
            name: step.name.to_string(),
            step_type: step.step_type(),
            mark: None,
        };
        let nodes = pipeline.steps.iter().map(node).collect();
        let edges = pipeline.indexes().flat_map(|step| edges_to(pipeline, step)).collect();
        Self { title: title.to_owned(), nodes, edges }
    }

    /// Draws an execution of the definition.
    pub(crate) fn of_execution(pipeline: &Pipeline, description: &ExecutionDescription) -> Self {
        let title =
            format!("{} {}", description.pipeline_name, description.pipeline_execution_status);
        let mut drawing = Self::of_pipeline(&title, pipeline);
        for (node, step) in drawing.nodes.iter_mut().zip(&description.steps) {
            node.mark = Some(mark(step));
        }
        drawing
    }
}

impl Node {
    /// Returns the lines of the step's box.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        let mark = self.mark.as_ref().map(|mark| mark.text.as_str());
        [self.name.as_str(), self.step_type.name()].into_iter().chain(mark)
    }

    pub(crate) fn is_condition(&self) -> bool {
        self.step_type == StepType::Condition
    }
}

fn edges_to(pipeline: &Pipeline, to: StepIndex) -> Vec<Edge> {
    let step = pipeline.step(to);
    let edge = |from: StepIndex, label| Edge { from: from.0, to: to.0, label };
    let parent = step.parent.filter(|parent| {
        let mut others = step.dependencies.iter().map(|other| pipeline.step(*other).parent);
        !others.any(|other| other == Some(*parent))
    });
    let branch = parent.map(|parent| match parent.branch {
        Branch::If => edge(parent.condition, Some("true")),
        Branch::Else => edge(parent.condition, Some("false")),
    });
    let condition = parent.map(|parent| parent.condition);
    let others = step.dependencies.iter().filter(|other| Some(**other) != condition);
    branch.into_iter().chain(others.map(|other| edge(*other, None))).collect()
}

fn mark(step: &StepDescription) -> Mark {
    let decision = step.decision.unwrap_or("waiting");
    let ending = match step.step_status {
        None | Some("Succeeded") => step.outcome,
        other => other,
    };
    let text = ending.map_or_else(|| decision.to_owned(), |ending| format!("{decision}, {ending}"));
    let tone = Tone::of(decision, step.step_status == Some("Failed"));
    let reason = step.failure_reason.as_ref().or(step.reason.as_ref());
    Mark { text, tone, reason: reason.cloned().unwrap_or_default() }
}
