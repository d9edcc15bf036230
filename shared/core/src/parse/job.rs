//! Steps that only SageMaker can run: searched for references, which make edges, and otherwise left to SageMaker.

use std::collections::BTreeSet;

use crate::definition::StepKind;
use crate::parse::problem::Code;
use crate::parse::suggest::list;
use crate::parse::text::{Draft, Node};

use super::Reader;
use super::dependency::Site;
use super::member::cut;

/// First what this version runs or waits for; then SageMaker's other types, SDK and service model [reference, section 2].
const TYPES: [&str; 28] = [
    "Lambda",
    "Condition",
    "Fail",
    "Callback",
    "Processing",
    "Training",
    "Tuning",
    "AutoML",
    "Transform",
    "Model",
    "RegisterModel",
    "QualityCheck",
    "ClarifyCheck",
    "EMR",
    "EMRServerless",
    "EndpointConfig",
    "Endpoint",
    "InferenceComponent",
    "Lineage",
    "ForEach",
    "Cleanup",
    "Athena",
    "Job",
    "HubContent",
    "BedrockCustomModel",
    "BedrockCustomModelDeployment",
    "BedrockProvisionedModelThroughput",
    "BedrockModelImport",
];

/// Read elsewhere; all others are searched for references.
const CHECKED_KEYS: [&str; 12] = [
    "Name",
    "Type",
    "DisplayName",
    "Description",
    "DependsOn",
    "CacheConfig",
    "RetryPolicies",
    "PropertyFiles",
    "Tags",
    "TriggerRule",
    "OnFailure",
    "When",
];

impl<'d> Reader<'d> {
    /// Any step type but those of [`super::kind`]; reports unknown ones.
    pub(super) fn job(
        &mut self,
        node: Node<'d>,
        step_type: &'d str,
        site: &mut Site<'d>,
    ) -> Option<StepKind> {
        if !TYPES.contains(&step_type) {
            let type_node = self.required(node, "Type")?;
            let text = self.string(type_node)?;
            let hint = self.did_you_mean(text, TYPES.into_iter());
            let message = format!("unknown step type `{}`", cut(text));
            let draft = Draft::at(type_node, Code::UnknownStepType, message);
            self.report(draft.allowed(TYPES.join(", ")).hint(hint));
        }
        self.refuse_exactly_once(node);
        if let Some(arguments) = node.get("Arguments") {
            self.any_object(arguments);
        }
        if let Some(files) = node.get("PropertyFiles") {
            self.property_files(files, node);
        }
        for (key, member) in node.members() {
            if !CHECKED_KEYS.contains(&key) {
                self.any(member, site);
            }
        }
        Some(StepKind::Job { step_type: step_type.to_owned() })
    }

    fn property_files(&mut self, node: Node<'d>, step: Node<'d>) {
        if !self.array(node, "property files", usize::MAX) {
            return;
        }
        let config = step.get("Arguments").and_then(|node| node.get("ProcessingOutputConfig"));
        let outputs = config.and_then(|node| node.get("Outputs"));
        let outputs: Option<BTreeSet<&str>> = outputs.map(|list| {
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
                    let draft = Draft::at(member, Code::UnknownProperty, message);
                    let names = self.names(outputs.iter().copied());
                    self.report(draft.allowed(list(names.into_iter())));
                }
            }
        }
    }
}
