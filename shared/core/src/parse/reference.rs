//! Reads references: the name in a `Get`, that it exists, and its type. [`super::property`] checks
//! the properties of steps.

use crate::definition::expression::{ExecutionVariable, ExperimentVariable, Expression, Reference};
use crate::definition::property_path::PropertyPath;
use crate::definition::{ScalarType, StepIndex, StepType};
use crate::name::{ParameterName, StepName};
use crate::parse::problem::Code;
use crate::parse::suggest::list;
use crate::parse::text::{Finding, Node};

use super::dependency::{EXPERIMENT, Site};
use super::expression::Typed;
use super::member::cut;
use super::reader::Reader;

const ROOTS: &str = "Parameters.NAME, Steps.STEP.PROPERTY, Execution.VARIABLE, \
                     PipelineExperimentConfig.ExperimentName, PipelineExperimentConfig.TrialName";

impl<'d> Reader<'d> {
    /// Reads the reference in the argument of a `Get`.
    pub(super) fn get(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Typed {
        let Some(text) = self.string(node) else { return Typed::unknown() };
        let (root, rest) = text.split_once('.').unwrap_or((text, ""));
        let typed = match root {
            "Parameters" => self.parameter_reference(node, rest),
            "Steps" => self.step_reference(node, rest, site),
            "Execution" => self.execution_variable(node, rest, site),
            "PipelineExperimentConfig" => self.experiment_variable(node, rest, site),
            // The item of a ForEach step, which cannot run yet. Its expressions are only searched
            // for steps.
            "ForEach" | "IterationOutput" | "ChildOutput"
                if site.step_type == Some(StepType::ForEach) =>
            {
                None
            }
            _ => {
                let message = format!("`{}` names nothing", cut(text));
                let hint = matches!(root, "ForEach" | "IterationOutput")
                    .then(|| "it has a value only inside a ForEach step".to_owned());
                let finding = Finding::at(node, Code::InvalidExpression, message).allowed(ROOTS);
                self.report(finding.hint(hint));
                None
            }
        };
        typed.unwrap_or_else(Typed::unknown)
    }

    fn parameter_reference(&mut self, node: Node<'d>, name: &'d str) -> Option<Typed> {
        let Some(scalar_type) = self.outline.parameters.get(name).copied() else {
            let names = self.names(self.outline.parameters.keys().copied());
            let hint = self.did_you_mean(name, names.iter().copied());
            let message = format!("parameter `{}` is not declared", cut(name));
            let finding = Finding::at(node, Code::UnknownParameter, message);
            self.report(finding.allowed(list(names.into_iter())).hint(hint));
            return None;
        };
        self.used_parameters.insert(name);
        // An invalid name was reported where it is declared.
        let name = ParameterName::parse(name).ok()?;
        Some(Typed::new(Expression::Get(Reference::Parameter(name)), scalar_type))
    }

    fn execution_variable(&mut self, node: Node<'d>, name: &str, site: &Site<'d>) -> Option<Typed> {
        let Some(variable) = ExecutionVariable::parse(name) else {
            let names = || ExecutionVariable::ALL.iter().map(|(name, _)| *name);
            let hint = self.did_you_mean(name, names());
            let message = format!("unknown execution variable `{}`", cut(name));
            let finding = Finding::at(node, Code::UnknownVariable, message);
            self.report(finding.allowed(list(names())).hint(hint));
            return None;
        };
        let home = match variable {
            ExecutionVariable::TrainingJobName => Some(StepType::Training),
            ExecutionVariable::ProcessingJobName => Some(StepType::Processing),
            _ => None,
        };
        // The body of a ForEach step may hold any step.
        let is_home = |home: StepType| {
            site.step_type == Some(home) || site.step_type == Some(StepType::ForEach)
        };
        if let Some(home) = home.filter(|home| !is_home(*home)) {
            let message = format!("`Execution.{name}` has a value only inside a {home} step");
            self.report(Finding::at(node, Code::MisplacedReference, message));
        }
        self.warn_never_cached(node, site, &format!("Execution.{name}"), variable);
        let reference = Reference::Execution(variable);
        Some(Typed::new(Expression::Get(reference), Some(ScalarType::String)))
    }

    /// Warns if a value of a cached step is never, or not for long, the same: its cache key is
    /// never met again.
    fn warn_never_cached(
        &mut self,
        node: Node<'d>,
        site: &Site<'d>,
        what: &str,
        variable: ExecutionVariable,
    ) {
        if !site.is_cached {
            return;
        }
        let cost = match variable {
            ExecutionVariable::PipelineName | ExecutionVariable::PipelineArn => {
                "another name of the pipeline loses all its cached results"
            }
            _ => "no other execution can ever use its result",
        };
        let message = format!("caching is on, but the arguments hold `{what}`: {cost}");
        self.report(Finding::at(node, Code::NeverCached, message));
    }

    fn experiment_variable(
        &mut self,
        node: Node<'d>,
        name: &str,
        site: &Site<'d>,
    ) -> Option<Typed> {
        let variable = match name {
            "ExperimentName" => ExperimentVariable::ExperimentName,
            "TrialName" => ExperimentVariable::TrialName,
            _ => {
                let message = format!("`PipelineExperimentConfig` has no `{}`", cut(name));
                let finding = Finding::at(node, Code::UnknownProperty, message);
                self.report(finding.allowed("ExperimentName, TrialName"));
                return None;
            }
        };
        let message = match (&self.experiment, site.part) {
            (_, Some(EXPERIMENT)) => "`PipelineExperimentConfig` cannot refer to itself",
            (None, _) => "the definition has no `PipelineExperimentConfig`",
            (Some(config), _) => {
                let value = match variable {
                    ExperimentVariable::ExperimentName => &config.experiment_name,
                    ExperimentVariable::TrialName => &config.trial_name,
                };
                let mut held = None;
                value.references(&mut |reference| {
                    if let Reference::Execution(variable) = reference {
                        held = Some(*variable);
                    }
                });
                if let Some(variable) = held {
                    let what = format!("PipelineExperimentConfig.{name}");
                    self.warn_never_cached(node, site, &what, variable);
                }
                let reference = Reference::Experiment(variable);
                return Some(Typed::new(Expression::Get(reference), Some(ScalarType::String)));
            }
        };
        self.report(Finding::at(node, Code::MisplacedReference, message));
        None
    }

    fn step_reference(
        &mut self,
        node: Node<'d>,
        rest: &'d str,
        site: &mut Site<'d>,
    ) -> Option<Typed> {
        let (target, path) = self.split_step(node, rest, site)?;
        let found = if self.is_failure_reason(target, &path) {
            self.check_reads_failure(node, target, site);
            Some(ScalarType::String)
        } else {
            self.property_type(node, target, &path).ok()?
        };
        let step = StepName::parse(self.outline.step(target).name).ok()?;
        Some(Typed::new(Expression::Get(Reference::Step { step, path }), found))
    }

    /// Splits `STEP.PATH`, finds the step and records the dependency.
    pub(super) fn split_step(
        &mut self,
        node: Node<'d>,
        rest: &'d str,
        site: &mut Site<'d>,
    ) -> Option<(StepIndex, PropertyPath)> {
        let (name, path) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
        let target = if name.is_empty() {
            // The path is missing as well, and the problem reported for it is enough.
            None
        } else if let Some(part) = site.part {
            let message = format!("`{part}` is evaluated before any step");
            self.report(Finding::at(node, Code::MisplacedReference, message));
            None
        } else if site.body.contains(name) {
            None
        } else {
            self.find_step(node, name)
        };
        if let Some(target) = target {
            self.wait_for(target, node, site);
        }
        if path.is_empty() {
            let message = "a property must follow the step's name";
            self.report(
                Finding::at(node, Code::InvalidPath, message).allowed("Steps.STEP.PROPERTY"),
            );
            return None;
        }
        match PropertyPath::parse(path.strip_prefix('.').unwrap_or(path)) {
            Ok(path) => Some((target?, path)),
            Err(error) => {
                self.report(Finding::at(node, Code::InvalidPath, error.to_string()));
                None
            }
        }
    }
}
