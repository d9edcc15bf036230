//! The dependencies of a step, collected while its parts are read.

use std::collections::BTreeMap;

use crate::definition::{StepIndex, StepType};
use crate::parse::problem::Code;
use crate::parse::suggest::list;
use crate::parse::text::{Finding, Node};

use super::member::cut;
use super::reader::Reader;

/// The step whose part is being read, and its dependencies so far.
#[derive(Debug)]
pub(super) struct Site<'d> {
    /// `None` for the experiment configuration, which is evaluated before any step.
    pub(super) step: Option<StepIndex>,
    pub(super) step_type: Option<StepType>,
    /// The step is cached, so a value that never repeats deserves a warning.
    pub(super) is_cached: bool,
    /// The step may start although another one failed, so it may read the reason.
    pub(super) reads_failures: bool,
    /// Each dependency with the first place that names it.
    pub(super) waits_for: BTreeMap<StepIndex, Node<'d>>,
}

impl Site<'_> {
    pub(super) fn experiment() -> Self {
        Self {
            step: None,
            step_type: None,
            is_cached: false,
            reads_failures: false,
            waits_for: BTreeMap::new(),
        }
    }

    pub(super) fn step(step: StepIndex, step_type: Option<StepType>, is_cached: bool) -> Self {
        Self { step: Some(step), step_type, is_cached, ..Self::experiment() }
    }
}

impl<'d> Reader<'d> {
    pub(super) fn depends_on(&mut self, node: Node<'d>, site: &mut Site<'d>) {
        if !self.array(node, "dependencies", usize::MAX) {
            return;
        }
        for element in node.elements() {
            let Some(name) = self.string(element) else { continue };
            if let Some(target) = self.find_step(element, name) {
                self.wait_for(target, element, site);
            }
        }
    }

    /// Returns the names to suggest. There are none if the problem would not be listed, so that
    /// thousands of mistakes beside thousands of names cost no more than a thousand.
    pub(super) fn names(&self, names: impl Iterator<Item = &'d str>) -> Vec<&'d str> {
        if self.problems.is_full() { Vec::new() } else { names.collect() }
    }

    /// Returns the step with this name, and reports it if there is none.
    pub(super) fn find_step(&mut self, node: Node<'d>, name: &str) -> Option<StepIndex> {
        if let Some(index) = self.outline.by_name.get(name) {
            return Some(*index);
        }
        let all_names = self.outline.steps.iter().map(|step| step.name);
        let names = self.names(all_names.filter(|name| !name.is_empty()));
        let hint = self.did_you_mean(name, names.iter().copied());
        let message = format!("unknown step `{}`", cut(name));
        let finding =
            Finding::at(node, Code::UnknownStep, message).allowed(list(names.into_iter()));
        self.report(finding.hint(hint));
        None
    }

    /// Records that the step waits for `target`, or reports why no step can.
    pub(super) fn wait_for(&mut self, target: StepIndex, node: Node<'d>, site: &mut Site<'d>) {
        let step = self.outline.step(target);
        let name = cut(step.name);
        if site.step == Some(target) {
            let message = format!("step `{name}` waits for itself");
            self.report(Finding::at(node, Code::SelfDependency, message));
        } else if step.step_type == Some(StepType::Fail) {
            let message = format!(
                "`{name}` is a Fail step: it ends the execution, so nothing can wait for it"
            );
            self.report(Finding::at(node, Code::FailDependency, message));
        } else {
            site.waits_for.entry(target).or_insert(node);
        }
    }
}
