//! Reads the keys that sidestep adds to steps: `Tags`, `TriggerRule`, `OnFailure`, `When`,
//! `CodeVersion`.

use std::collections::BTreeSet;

use crate::definition::StepType;
use crate::definition::extension::{OnFailure, Otherwise, TriggerRule, When};
use crate::limits;
use crate::parse::problem::Code;
use crate::parse::text::{Finding, Node};

use super::dependency::Site;
use super::member::cut;
use super::reader::Reader;

/// The values of the keys that every type of step can have.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) tags: Vec<String>,
    pub(super) trigger_rule: TriggerRule,
    pub(super) on_failure: OnFailure,
    pub(super) when: Option<When>,
}

impl<'d> Reader<'d> {
    pub(super) fn extensions(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Extensions {
        // SageMaker's own `Tags`, those of a step's job or model, are in its `Arguments`.
        let tags = node.get("Tags").map(|list| self.tags(list)).unwrap_or_default();
        let rule = node
            .get("TriggerRule")
            .and_then(|member| self.word(member, "trigger rule", &TriggerRule::ALL));
        let on_failure = node
            .get("OnFailure")
            .and_then(|member| self.word(member, "`OnFailure` value", &OnFailure::ALL));
        let when = node.get("When").and_then(|node| self.when(node, site));
        Extensions {
            tags,
            trigger_rule: rule.unwrap_or_default(),
            on_failure: on_failure.unwrap_or_default(),
            when,
        }
    }

    /// Reports a rule that contradicts the triggers of `DependsOn`.
    pub(super) fn check_trigger_rule(
        &mut self,
        node: Node<'d>,
        rule: TriggerRule,
        site: &Site<'d>,
    ) {
        let Some(member) = node.get("TriggerRule").filter(|_| !site.triggers.is_empty()) else {
            return;
        };
        if matches!(rule, TriggerRule::NoneFailed | TriggerRule::AllDone) {
            let message = "a step whose `DependsOn` has a `Trigger` starts by its triggers";
            let finding = Finding::at(member, Code::ConflictingKeys, message);
            self.report(finding.allowed("`TriggerRule` AllSucceeded, AnySucceeded"));
        }
    }

    fn tags(&mut self, node: Node<'d>) -> Vec<String> {
        if !self.array(node, "tags", limits::TAGS) {
            return Vec::new();
        }
        let mut seen = BTreeSet::new();
        for element in node.elements() {
            let Some(tag) = self.string(element) else { continue };
            let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '=');
            let chars = tag.chars().count();
            if !(1..=limits::TAG_CHARS).contains(&chars) || !tag.chars().all(is_word) {
                let message = format!("invalid tag `{}`", cut(tag));
                let finding = Finding::at(element, Code::InvalidName, message);
                self.report(finding.allowed("1 to 128 letters, digits, - _ . / ="));
            } else if !seen.insert(tag) {
                let message = format!("tag `{}` is given twice", cut(tag));
                self.report(Finding::at(element, Code::NoEffect, message));
            }
        }
        seen.into_iter().map(str::to_owned).collect()
    }

    fn when(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Option<When> {
        if !self.object(node, &["Conditions", "Else"]) {
            return None;
        }
        let is_fail = site.step_type == Some(StepType::Fail);
        let otherwise = node.get("Else").and_then(|node| {
            let otherwise = self.word(node, "`Else` value", &Otherwise::ALL)?;
            if otherwise == Otherwise::Reuse && is_fail {
                let message = "a Fail step leaves nothing behind that could be reused";
                self.report(Finding::at(node, Code::InvalidValue, message).allowed("Skip"));
            }
            Some(otherwise)
        });
        let list = self.required(node, "Conditions")?;
        let conditions = self.conditions(list, site, 0);
        Some(When { conditions, otherwise: otherwise.unwrap_or_default() })
    }

    pub(super) fn timeout_seconds(&mut self, node: Node<'d>) -> Option<u32> {
        let seconds = self.whole(node, "`TimeoutSeconds`", limits::TIMEOUT_SECONDS)?;
        if seconds == 0 {
            let message = "`TimeoutSeconds` must be at least 1";
            self.report(Finding::at(node, Code::InvalidValue, message));
        }
        u32::try_from(seconds).ok()
    }

    pub(super) fn code_version(&mut self, node: Node<'d>) -> Option<String> {
        let text = self.literal_string(node, "`CodeVersion`")?;
        if text.is_empty() {
            let message = "`CodeVersion` must not be empty";
            self.report(Finding::at(node, Code::InvalidValue, message));
        }
        self.check_chars(node, "characters of `CodeVersion`", text, limits::CODE_VERSION_CHARS);
        Some(text.to_owned())
    }
}
