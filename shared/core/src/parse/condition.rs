//! Reads conditions.

use crate::definition::ScalarType;
use crate::definition::condition::{Condition, Operator};
use crate::definition::expression::Expression;
use crate::limits;
use crate::name::StepName;
use crate::parse::problem::Code;
use crate::parse::suggest::list;
use crate::parse::text::{Finding, Node};

use super::dependency::Site;
use super::expression::with_article;
use super::member::cut;
use super::outline::rules_of;
use super::reader::Reader;

/// The names of all conditions. `NotEquals` and `NotIn` are the published schema's; the SDK writes
/// a `Not` around the plain one.
const TYPES: [&str; 12] = [
    "Equals",
    "NotEquals",
    "GreaterThan",
    "GreaterThanOrEqualTo",
    "LessThan",
    "LessThanOrEqualTo",
    "In",
    "NotIn",
    "Not",
    "Or",
    "Changed",
    "CodeChanged",
];

impl<'d> Reader<'d> {
    /// Reads a list of conditions, which are nested `depth` deep.
    pub(super) fn conditions(
        &mut self,
        node: Node<'d>,
        site: &mut Site<'d>,
        depth: usize,
    ) -> Vec<Condition> {
        if !self.array(node, "conditions", usize::MAX) {
            return Vec::new();
        }
        if node.elements().next().is_none() {
            let always = if depth == 0 { "always holds" } else { "never holds" };
            let message = format!("an empty list of conditions {always}");
            self.report(Finding::at(node, Code::NoEffect, message));
        }
        node.elements().filter_map(|node| self.condition(node, site, depth)).collect()
    }

    fn condition(
        &mut self,
        node: Node<'d>,
        site: &mut Site<'d>,
        depth: usize,
    ) -> Option<Condition> {
        if depth == limits::CONDITION_DEPTH {
            let limit = limits::CONDITION_DEPTH;
            let message = format!("conditions are nested more than {limit} deep, over the limit");
            self.report(Finding::at(node, Code::LimitExceeded, message));
            return None;
        }
        if !self.any_object(node) {
            return None;
        }
        let type_node = self.required(node, "Type")?;
        let name = self.string(type_node)?;
        if let Some((_, operator)) = Operator::ALL.iter().find(|(text, _)| *text == name) {
            return self.compare(node, *operator, site);
        }
        match name {
            "NotEquals" => {
                let equals = self.compare(node, Operator::Equals, site)?;
                Some(Condition::Not(Box::new(equals)))
            }
            "In" => self.membership(node, site),
            "NotIn" => Some(Condition::Not(Box::new(self.membership(node, site)?))),
            "Not" => {
                self.object(node, &["Type", "Condition"]);
                let inner = self.required(node, "Condition")?;
                Some(Condition::Not(Box::new(self.condition(inner, site, depth + 1)?)))
            }
            "Or" => {
                self.object(node, &["Type", "Conditions"]);
                let list = self.required(node, "Conditions")?;
                Some(Condition::Or(self.conditions(list, site, depth + 1)))
            }
            "Changed" => {
                self.object(node, &["Type", "Value"]);
                let member = self.required(node, "Value")?;
                let value = self.any(member, site);
                let mut text = member.to_value();
                text.sort_all_objects();
                Some(Condition::Changed { value, text: text.to_string() })
            }
            "CodeChanged" => {
                self.object(node, &["Type", "StepName"]);
                let member = self.required(node, "StepName")?;
                let step = self.literal_string(member, "`StepName`")?;
                let index = self.find_step(member, step)?;
                let found = self.outline.step(index);
                if !rules_of(found.step_type).has_code() {
                    let type_name = found.type_name;
                    let message = format!("`{}` is a {type_name} step and has no code", cut(step));
                    let finding = Finding::at(member, Code::InvalidValue, message);
                    self.report(finding.allowed("Lambda steps"));
                }
                Some(Condition::CodeChanged { step: StepName::parse(step).ok()? })
            }
            _ => {
                self.unknown_condition(type_node, name);
                None
            }
        }
    }

    fn unknown_condition(&mut self, node: Node<'d>, name: &str) {
        let hint = match name {
            "And" => Some("conditions beside one another in `Conditions` must all hold".to_owned()),
            _ => self.did_you_mean(name, TYPES.into_iter()),
        };
        let message = format!("unknown condition type `{}`", cut(name));
        let finding = Finding::at(node, Code::UnknownConditionType, message);
        self.report(finding.allowed(list(TYPES.into_iter())).hint(hint));
    }

    fn compare(
        &mut self,
        node: Node<'d>,
        operator: Operator,
        site: &mut Site<'d>,
    ) -> Option<Condition> {
        self.object(node, &["Type", "LeftValue", "RightValue"]);
        let (left, right) = (self.required(node, "LeftValue"), self.required(node, "RightValue"));
        let left = left.map(|node| self.scalar(node, site));
        let right = right.map(|node| self.scalar(node, site));
        let (left, right) = (left?, right?);
        self.check_comparable(node, operator, left.scalar_type, right.scalar_type);
        let (left, right) = (left.expression, right.expression);
        Some(Condition::Compare { operator, left, right })
    }

    fn check_comparable(
        &mut self,
        node: Node<'d>,
        operator: Operator,
        left: Option<ScalarType>,
        right: Option<ScalarType>,
    ) {
        let boolean = [left, right].contains(&Some(ScalarType::Boolean));
        if boolean && operator != Operator::Equals {
            let message = format!("{} cannot order a Boolean", operator.name());
            self.report(Finding::at(node, Code::TypeMismatch, message).allowed("Equals"));
        } else if let (Some(left), Some(right)) = (left, right)
            && kind(left) != kind(right)
        {
            let (left, right) = (with_article(left), with_article(right));
            let message = format!("{} cannot compare {left} with {right}", operator.name());
            self.report(Finding::at(node, Code::TypeMismatch, message));
        }
    }

    fn membership(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Option<Condition> {
        self.object(node, &["Type", "QueryValue", "Values", "Value", "In"]);
        let query =
            self.either(node, "QueryValue", "Value").map(|member| self.scalar(member, site));
        let list = self.either(node, "Values", "In")?;
        if !self.array(list, "values", usize::MAX) {
            return None;
        }
        let query_type = query.as_ref().and_then(|query| query.scalar_type);
        let mut values: Vec<Expression> = Vec::new();
        for element in list.elements() {
            let value = self.scalar(element, site);
            if let (Some(query), Some(found)) = (query_type, value.scalar_type)
                && kind(query) != kind(found)
            {
                let message =
                    format!("{} never equals {}", with_article(query), with_article(found));
                self.report(Finding::at(element, Code::NoEffect, message));
            }
            values.push(value.expression);
        }
        Some(Condition::In { query: query?.expression, values })
    }

    /// Returns the member with the SDK's key or the published schema's, and reports it if both are
    /// there.
    fn either(&mut self, node: Node<'d>, key: &str, alias: &str) -> Option<Node<'d>> {
        match (node.get(key), node.get(alias)) {
            (Some(_), Some(second)) => {
                let message = format!("`{key}` and `{alias}` mean the same");
                self.report(Finding::at_key(second, Code::ConflictingKeys, message));
                None
            }
            (None, Some(member)) => Some(member),
            _ => self.required(node, key),
        }
    }

    /// Reads the conditions of a Condition step and checks the shape of its branches. The steps in
    /// the branches are read as steps.
    pub(super) fn condition_arguments(
        &mut self,
        node: Node<'d>,
        site: &mut Site<'d>,
    ) -> Option<Vec<Condition>> {
        if !self.object(node, &["Conditions", "IfSteps", "ElseSteps"]) {
            return None;
        }
        for branch in ["IfSteps", "ElseSteps"] {
            if let Some(list) = node.get(branch) {
                self.array(list, branch, usize::MAX);
            }
        }
        let list = self.required(node, "Conditions")?;
        Some(self.conditions(list, site, 0))
    }
}

/// Returns the type for comparisons: Integer and Float are one numeric type.
fn kind(scalar_type: ScalarType) -> ScalarType {
    if scalar_type == ScalarType::Integer { ScalarType::Float } else { scalar_type }
}
