//! Collects every name of a definition that a reference can point at, before any part is checked.
//!
//! Nothing is reported here. A part of the wrong shape is left out, and reported when it is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::definition::step_type::StepRules;
use crate::definition::{Branch, Parent, ScalarType, StepIndex, StepType};
use crate::parse::text::Node;

#[derive(Debug, Default)]
pub(super) struct Outline<'d> {
    /// In definition order, a condition before the steps of its branches.
    pub(super) steps: Vec<StepOutline<'d>>,
    /// The first of several steps with one name.
    pub(super) by_name: HashMap<&'d str, StepIndex>,
    by_node: HashMap<u32, StepIndex>,
    /// By name; the type is `None` if it is invalid.
    pub(super) parameters: BTreeMap<&'d str, Option<ScalarType>>,
}

#[derive(Debug)]
pub(super) struct StepOutline<'d> {
    pub(super) node: Node<'d>,
    /// As written; empty if there is none.
    pub(super) name: &'d str,
    /// As written; empty if there is none.
    pub(super) type_name: &'d str,
    /// `None` for a type that SageMaker does not have.
    pub(super) step_type: Option<StepType>,
    pub(super) parent: Option<Parent>,
    /// Declared outputs by name; the type is `None` if it is invalid.
    pub(super) outputs: BTreeMap<&'d str, Option<ScalarType>>,
    pub(super) property_files: BTreeSet<&'d str>,
}

impl<'d> Outline<'d> {
    pub(super) fn new(root: Node<'d>) -> Self {
        let mut outline = Self::default();
        for parameter in root.get("Parameters").into_iter().flat_map(Node::elements) {
            if let Some(name) = text(parameter, "Name") {
                let declared = match parameter.get("Type") {
                    None => Some(ScalarType::String),
                    Some(node) => node.as_str().and_then(scalar_type),
                };
                outline.parameters.entry(name).or_insert(declared);
            }
        }
        outline.add_steps(root.get("Steps"), None);
        outline
    }

    /// Adds a list of steps. Recurses along nested conditions, whose depth is limited when the text
    /// is read.
    fn add_steps(&mut self, list: Option<Node<'d>>, parent: Option<Parent>) {
        for node in list.into_iter().flat_map(Node::elements) {
            let index = StepIndex(self.steps.len());
            let step = StepOutline::new(node, parent);
            let is_condition = step.step_type == Some(StepType::Condition);
            if !step.name.is_empty() {
                self.by_name.entry(step.name).or_insert(index);
            }
            self.by_node.insert(node.id(), index);
            self.steps.push(step);
            if is_condition && let Some(arguments) = node.get("Arguments") {
                for (key, branch) in [("IfSteps", Branch::If), ("ElseSteps", Branch::Else)] {
                    let parent = Parent { condition: index, branch };
                    self.add_steps(arguments.get(key), Some(parent));
                }
            }
        }
    }

    pub(super) fn index_at(&self, node: Node<'_>) -> Option<StepIndex> {
        self.by_node.get(&node.id()).copied()
    }

    /// Returns the name of the step that `node` is, if it is one.
    pub(super) fn name_at(&self, node: Node<'_>) -> Option<&'d str> {
        let name = self.steps[self.index_at(node)?.0].name;
        (!name.is_empty()).then_some(name)
    }

    pub(super) fn step(&self, index: StepIndex) -> &StepOutline<'d> {
        &self.steps[index.0]
    }
}

impl<'d> StepOutline<'d> {
    fn new(node: Node<'d>, parent: Option<Parent>) -> Self {
        let mut outputs = BTreeMap::new();
        for output in node.get("OutputParameters").into_iter().flat_map(Node::elements) {
            if let Some(name) = text(output, "OutputName") {
                outputs.entry(name).or_insert(text(output, "OutputType").and_then(scalar_type));
            }
        }
        let files = node.get("PropertyFiles").into_iter().flat_map(Node::elements);
        let type_name = text(node, "Type").unwrap_or_default();
        Self {
            node,
            name: text(node, "Name").unwrap_or_default(),
            type_name,
            step_type: StepType::parse(type_name),
            parent,
            outputs,
            property_files: files.filter_map(|file| text(file, "PropertyFileName")).collect(),
        }
    }
}

/// Returns the rules for a type, or for one that SageMaker does not have.
pub(super) fn rules_of(step_type: Option<StepType>) -> StepRules {
    step_type.map_or(StepRules::UNKNOWN, StepType::rules)
}

fn text<'d>(node: Node<'d>, key: &str) -> Option<&'d str> {
    node.get(key)?.as_str()
}

pub(super) fn scalar_type(name: &str) -> Option<ScalarType> {
    ScalarType::ALL.iter().find(|(text, _)| *text == name).map(|(_, scalar)| *scalar)
}
