//! Finds steps that wait for both branches of one condition, one of which is always skipped.

use std::collections::BTreeMap;

use crate::definition::extension::TriggerRule;
use crate::definition::{Parent, Step, StepIndex};
use crate::parse::problem::Code;
use crate::parse::text::{Finding, Node};

use super::member::cut;
use super::reader::Reader;

impl<'d> Reader<'d> {
    /// Warns of a step that can never run, because all steps it waits for must succeed and some of
    /// them are in different branches of one condition.
    pub(super) fn check_rejoin(&mut self, step: &Step, edges: &BTreeMap<StepIndex, Node<'d>>) {
        if step.trigger_rule != TriggerRule::AllSucceeded {
            return;
        }
        let mut reached: BTreeMap<StepIndex, Parent> = BTreeMap::new();
        let must_succeed = |edge: &StepIndex| !step.allows_failure(*edge);
        for (dependency, node) in edges.iter().filter(|(edge, _)| must_succeed(edge)) {
            for parent in self.branches_around(*dependency) {
                let other = reached.entry(parent.condition).or_insert(parent);
                if other.branch == parent.branch {
                    continue;
                }
                let condition = cut(self.outline.step(parent.condition).name);
                let message = format!(
                    "the step waits for steps in both branches of condition `{condition}`, so it can never run"
                );
                let hint = "`TriggerRule: AnySucceeded` runs it after the branch that is taken";
                let finding = Finding::at(*node, Code::NeverRuns, message);
                self.report(finding.hint(Some(hint.to_owned())));
                return;
            }
        }
    }

    /// Returns the branches around a step, from the nearest condition outwards.
    fn branches_around(&self, step: StepIndex) -> Vec<Parent> {
        let mut found = Vec::new();
        let mut next = self.outline.step(step).parent;
        while let Some(parent) = next {
            found.push(parent);
            next = self.outline.step(parent.condition).parent;
        }
        found
    }
}
