//! Reads steps whose work SageMaker does. They are searched for references, which make edges, and
//! otherwise not checked: the service checks a request, and knows members that are newer than this.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::definition::expression::Expression;
use crate::definition::{JobStep, PropertyFile, StepKind, StepType};
use crate::parse::problem::Code;
use crate::parse::suggest::list;
use crate::parse::text::{Finding, Node};

use super::dependency::Site;
use super::member::cut;
use super::outline::rules_of;
use super::reader::Reader;

impl<'d> Reader<'d> {
    /// Reads a step of any type that has no kind of its own, and reports unknown types.
    pub(super) fn job(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Option<StepKind> {
        if site.step_type.is_none() {
            let type_node = self.required(node, "Type")?;
            let text = self.string(type_node)?;
            self.unknown_type(type_node, text);
        }
        self.refuse_exactly_once(node);
        if let Some(arguments) = node.get("Arguments") {
            self.any_object(arguments);
        }
        let mut property_files = Vec::new();
        if let Some(files) = node.get("PropertyFiles") {
            property_files = self.property_files(files, node);
        }
        let mut arguments = Expression::Literal(Value::Object(Map::new()));
        let checked = rules_of(site.step_type).keys();
        for (key, member) in node.members() {
            if key == "Arguments" {
                arguments = self.any(member, site);
            } else if !checked.contains(&key) {
                self.any(member, site);
            }
        }
        // An unknown type was reported, so this placeholder is never returned to the caller.
        let step_type = site.step_type.unwrap_or(StepType::Job);
        Some(StepKind::Job(JobStep { step_type, arguments, property_files }))
    }

    fn unknown_type(&mut self, node: Node<'d>, text: &str) {
        let names: Vec<_> = StepType::ALL.iter().map(|step_type| step_type.name()).collect();
        let hint = self.did_you_mean(text, names.iter().copied());
        let message = format!("unknown step type `{}`", cut(text));
        let finding = Finding::at(node, Code::UnknownStepType, message);
        self.report(finding.allowed(names.join(", ")).hint(hint));
    }

    fn property_files(&mut self, node: Node<'d>, step: Node<'d>) -> Vec<PropertyFile> {
        let mut found = Vec::new();
        if !self.array(node, "property files", usize::MAX) {
            return found;
        }
        let config = step.get("Arguments").and_then(|node| node.get("ProcessingOutputConfig"));
        let declared = config.and_then(|node| node.get("Outputs"));
        let outputs: Option<BTreeSet<&str>> = declared.map(|list| {
            list.elements().filter_map(|node| node.get("OutputName")?.as_str()).collect()
        });
        for file in node.elements() {
            if !self.object(file, &["PropertyFileName", "OutputName", "FilePath"]) {
                continue;
            }
            for key in ["PropertyFileName", "OutputName", "FilePath"] {
                let Some(member) = self.required(file, key) else { continue };
                let Some(text) = self.string(member) else { continue };
                if key == "OutputName"
                    && let Some(outputs) = outputs.as_ref().filter(|all| !all.contains(text))
                {
                    let message = format!("the step has no output `{}`", cut(text));
                    let finding = Finding::at(member, Code::UnknownProperty, message);
                    let names = self.names(outputs.iter().copied());
                    self.report(finding.allowed(list(names.into_iter())));
                }
            }
            let text =
                |key: &str| file.get(key).and_then(Node::as_str).unwrap_or_default().to_owned();
            found.push(PropertyFile {
                name: text("PropertyFileName"),
                output: text("OutputName"),
                path: text("FilePath"),
            });
        }
        found
    }
}
