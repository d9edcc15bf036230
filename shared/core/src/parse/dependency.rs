//! The dependencies of a step, collected while its parts are read.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::trigger::Trigger;
use crate::definition::{StepIndex, StepType};
use crate::parse::problem::Code;
use crate::parse::suggest::list;
use crate::parse::text::{Content, Finding, Node};

use super::member::cut;
use super::reader::Reader;

/// The key of the experiment's names, which steps may refer to.
pub(super) const EXPERIMENT: &str = "PipelineExperimentConfig";

/// The step whose part is being read, and its dependencies so far.
#[derive(Debug)]
pub(super) struct Site<'d> {
    /// `None` for the parts of [`Site::part`], which are evaluated before any step.
    pub(super) step: Option<StepIndex>,
    /// The part of the definition that is not a step.
    pub(super) part: Option<&'static str>,
    pub(super) step_type: Option<StepType>,
    /// The step is cached, so a value that never repeats deserves a warning.
    pub(super) is_cached: bool,
    /// The step may start although any other one failed, so it may read the reason.
    pub(super) reads_failures: bool,
    /// The triggers of `DependsOn` that let it start although one certain step did not succeed.
    pub(super) triggers: BTreeMap<StepIndex, Trigger>,
    /// The steps of a ForEach step's body. They are in no outline, and refer to each other.
    pub(super) body: BTreeSet<&'d str>,
    /// Each dependency with the first place that names it.
    pub(super) waits_for: BTreeMap<StepIndex, Node<'d>>,
}

impl Site<'_> {
    /// Returns the site of a part of the definition that is evaluated before any step.
    pub(super) fn before_steps(part: &'static str) -> Self {
        Self { part: Some(part), ..Self::empty() }
    }

    pub(super) fn step(step: StepIndex, step_type: Option<StepType>) -> Self {
        Self { step: Some(step), step_type, ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            step: None,
            part: None,
            step_type: None,
            is_cached: false,
            reads_failures: false,
            triggers: BTreeMap::new(),
            body: BTreeSet::new(),
            waits_for: BTreeMap::new(),
        }
    }
}

impl<'d> Reader<'d> {
    /// Reads `DependsOn`: names of steps, or objects that say how the step must have ended.
    pub(super) fn depends_on(&mut self, node: Node<'d>, site: &mut Site<'d>) {
        if !self.array(node, "dependencies", usize::MAX) {
            return;
        }
        let mut seen = BTreeMap::new();
        for element in node.elements() {
            let Some((place, name, trigger)) = self.dependency(element) else { continue };
            let Some(target) = self.find_step(place, name) else { continue };
            self.wait_for(target, place, site);
            let first = *seen.entry(target).or_insert(trigger);
            if first != trigger {
                let (name, first, other) = (cut(name), first.name(), trigger.name());
                let message = format!(
                    "step `{name}` is waited for with two triggers, `{first}` and `{other}`"
                );
                self.report(Finding::at(element, Code::InvalidValue, message));
            }
        }
    }

    /// Reads one entry of `DependsOn`, and returns the place of its name.
    fn dependency(&mut self, node: Node<'d>) -> Option<(Node<'d>, &'d str, Trigger)> {
        if !matches!(node.content(), Content::Object(_)) {
            return Some((node, self.string(node)?, Trigger::Completed));
        }
        if !self.object(node, &["Step", "Trigger"]) {
            return None;
        }
        let (step, trigger) = (self.required(node, "Step"), self.required(node, "Trigger"));
        let trigger = self.word(trigger?, "trigger", &Trigger::ALL)?;
        Some((step?, self.string(step?)?, trigger))
    }

    /// Returns the triggers in the `DependsOn` of a step. [`Reader::depends_on`] reports mistakes.
    pub(super) fn triggers_of(&self, step: Node<'d>) -> BTreeMap<StepIndex, Trigger> {
        let entries = step.get("DependsOn").into_iter().flat_map(Node::elements);
        let triggers = entries.filter_map(|entry| {
            let name = entry.get("Step")?.as_str()?;
            let word = entry.get("Trigger")?.as_str()?;
            let (_, trigger) = Trigger::ALL.into_iter().find(|(known, _)| *known == word)?;
            Some((*self.outline.by_name.get(name)?, trigger))
        });
        triggers.filter(|(_, trigger)| trigger.allows_failure()).collect()
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
