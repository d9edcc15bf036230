//! Reads the top level of a definition.

use crate::definition::expression::Expression;
use crate::definition::{
    DEFINITION_VERSION, ExperimentConfig, MlflowConfig, Pipeline, ScalarType, Step,
};
use crate::parse::problem::Code;
use crate::parse::text::{Content, Finding, Node};

use super::dependency::{EXPERIMENT, Site};
use super::expression::with_article;
use super::member::cut;
use super::reader::Reader;

const KEYS: [&str; 7] = [
    "Version",
    "Metadata",
    "Parameters",
    "PipelineExperimentConfig",
    "MlflowConfig",
    "CacheConfig",
    "Steps",
];

impl<'d> Reader<'d> {
    pub(super) fn pipeline(&mut self, root: Node<'d>) -> Option<Pipeline> {
        if !self.object(root, &KEYS) {
            return None;
        }
        if let Some(version) = root.get("Version") {
            self.version(version);
        }
        if let Some(metadata) = root.get("Metadata") {
            self.metadata(metadata);
        }
        let parameters = root.get("Parameters").map(|node| self.parameters(node));
        let defaults = parameters
            .iter()
            .flatten()
            .filter_map(|parameter| Some((parameter.name.to_string(), parameter.default.clone()?)));
        self.defaults = defaults.collect();
        self.experiment =
            root.get("PipelineExperimentConfig").and_then(|node| self.experiment(node));
        let mlflow = root.get("MlflowConfig").and_then(|node| self.mlflow(node));
        self.default_cache = root.get("CacheConfig").and_then(|node| self.cache_config(node));
        let (steps, topological_order) = match self.required(root, "Steps") {
            Some(node) => self.steps(node),
            None => return None,
        };
        self.report_unused_parameters(root);
        Some(Pipeline {
            parameters: parameters.unwrap_or_default(),
            experiment: self.experiment.take(),
            mlflow,
            steps: steps.into_iter().collect::<Option<Vec<Step>>>()?,
            topological_order,
        })
    }

    fn version(&mut self, node: Node<'d>) {
        if let Some(version) = self.string(node).filter(|version| *version != DEFINITION_VERSION) {
            let message = format!("unknown definition version `{}`", cut(version));
            let finding =
                Finding::at(node, Code::InvalidValue, message).allowed(DEFINITION_VERSION);
            self.report(finding);
        }
    }

    fn metadata(&mut self, node: Node<'d>) {
        if self.any_object(node) {
            for (_, value) in node.members() {
                self.string(value);
            }
        }
    }

    fn experiment(&mut self, node: Node<'d>) -> Option<ExperimentConfig> {
        if matches!(node.content(), Content::Null)
            || !self.object(node, &["ExperimentName", "TrialName"])
        {
            return None;
        }
        let mut name = |key| {
            let member = self.required(node, key)?;
            let mut site = Site::before_steps(EXPERIMENT);
            Some(self.string_expression(member, key, &mut site))
        };
        let experiment_name = name("ExperimentName");
        let trial_name = name("TrialName");
        Some(ExperimentConfig { experiment_name: experiment_name?, trial_name: trial_name? })
    }

    /// Reads `MlflowConfig`, which every definition of SDK 3 has and which is `null` by default.
    /// Its members may be `null` too.
    fn mlflow(&mut self, node: Node<'d>) -> Option<MlflowConfig> {
        if matches!(node.content(), Content::Null)
            || !self.object(node, &["MlflowResourceArn", "MlflowExperimentName"])
        {
            return None;
        }
        let mut member = |key| {
            let member = node.get(key)?;
            let is_null = matches!(member.content(), Content::Null);
            let mut site = Site::before_steps("MlflowConfig");
            (!is_null).then(|| self.string_expression(member, key, &mut site))
        };
        let resource_arn = member("MlflowResourceArn");
        let experiment_name = member("MlflowExperimentName");
        Some(MlflowConfig { resource_arn, experiment_name })
    }

    /// Reads an expression in a place that takes only strings.
    pub(super) fn string_expression(
        &mut self,
        node: Node<'d>,
        what: &str,
        site: &mut Site<'d>,
    ) -> Expression {
        let typed = self.scalar(node, site);
        if let Some(found) = typed.scalar_type.filter(|found| *found != ScalarType::String) {
            let message = format!("`{what}` takes a String, and this is {}", with_article(found));
            let hint = "a `Std:Join` of this one value makes it a String".to_owned();
            self.report(Finding::at(node, Code::TypeMismatch, message).hint(Some(hint)));
        }
        typed.expression
    }

    fn report_unused_parameters(&mut self, root: Node<'d>) {
        let declared = root.get("Parameters").into_iter().flat_map(Node::elements);
        for name in declared.filter_map(|parameter| parameter.get("Name")) {
            if let Some(text) = name.as_str()
                && !self.used_parameters.contains(text)
            {
                let message = format!("nothing reads parameter `{}`", cut(text));
                self.report(Finding::at(name, Code::UnusedParameter, message));
            }
        }
    }
}
