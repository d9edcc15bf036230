//! References: what a `Get` names, that it exists, and which type it has.

use crate::definition::{ScalarType, StepIndex};
use crate::expression::{ExecutionVariable, ExperimentVariable, Expression, Reference};
use crate::name::{ParameterName, StepName};
use crate::path::{PropertyPath, Segment};
use crate::problem::Code;
use crate::source::{Draft, Node};
use crate::suggest::list;

use super::Reader;
use super::dependency::Site;
use super::expression::Typed;
use super::member::cut;

const ROOTS: &str = "Parameters.NAME, Steps.STEP.PROPERTY, Execution.VARIABLE, \
                     PipelineExperimentConfig.ExperimentName, PipelineExperimentConfig.TrialName";

/// A mistake that is among the problems already.
struct Reported;

impl<'d> Reader<'d> {
    /// The reference in the argument of a `Get`.
    pub(super) fn get(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Typed {
        let Some(text) = self.string(node) else { return Typed::unknown() };
        let (root, rest) = text.split_once('.').unwrap_or((text, ""));
        let typed = match root {
            "Parameters" => self.parameter_reference(node, rest),
            "Steps" => self.step_reference(node, rest, site),
            "Execution" => self.execution_variable(node, rest, site),
            "PipelineExperimentConfig" => self.experiment_variable(node, rest, site),
            // The item of a ForEach step, which cannot run yet; its expressions are only searched for steps.
            "ForEach" | "ChildOutput" if site.step_type == "ForEach" => None,
            _ => {
                let message = format!("`{}` names nothing", cut(text));
                self.report(Draft::at(node, Code::InvalidExpression, message).allowed(ROOTS));
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
            let draft = Draft::at(node, Code::UnknownParameter, message);
            self.report(draft.allowed(list(names.into_iter())).hint(hint));
            return None;
        };
        self.used_parameters.insert(name);
        // A name that is not legal was reported where it is declared.
        let name = ParameterName::parse(name).ok()?;
        Some(Typed::new(Expression::Get(Reference::Parameter(name)), scalar_type))
    }

    fn execution_variable(&mut self, node: Node<'d>, name: &str, site: &Site<'d>) -> Option<Typed> {
        let Some(variable) = ExecutionVariable::parse(name) else {
            let names = || ExecutionVariable::ALL.iter().map(|(name, _)| *name);
            let hint = self.did_you_mean(name, names());
            let message = format!("there is no execution variable `{}`", cut(name));
            let draft = Draft::at(node, Code::UnknownVariable, message);
            self.report(draft.allowed(list(names())).hint(hint));
            return None;
        };
        let home = match variable {
            ExecutionVariable::TrainingJobName => Some("Training"),
            ExecutionVariable::ProcessingJobName => Some("Processing"),
            _ => None,
        };
        if let Some(home) = home.filter(|home| *home != site.step_type) {
            let message = format!("`Execution.{name}` has a value only inside a {home} step");
            self.report(Draft::at(node, Code::MisplacedReference, message));
        }
        self.warn_never_cached(node, site, &format!("Execution.{name}"));
        let reference = Reference::Execution(variable);
        Some(Typed::new(Expression::Get(reference), Some(ScalarType::String)))
    }

    fn warn_never_cached(&mut self, node: Node<'d>, site: &Site<'d>, what: &str) {
        if site.is_cached {
            let message = format!(
                "the step asks for caching, but its arguments hold `{what}`: no other execution or \
                 pipeline can share its result"
            );
            self.report(Draft::at(node, Code::NeverCached, message));
        }
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
                let draft = Draft::at(node, Code::UnknownProperty, message);
                self.report(draft.allowed("ExperimentName, TrialName"));
                return None;
            }
        };
        let message = match (&self.experiment, site.step) {
            (_, None) => "`PipelineExperimentConfig` cannot refer to itself",
            (None, _) => "the definition has no `PipelineExperimentConfig`",
            (Some(config), Some(_)) => {
                let value = match variable {
                    ExperimentVariable::ExperimentName => &config.experiment_name,
                    ExperimentVariable::TrialName => &config.trial_name,
                };
                let mut holds_variable = false;
                value.references(&mut |reference| {
                    holds_variable |= matches!(reference, Reference::Execution(_));
                });
                if holds_variable {
                    let what = format!("PipelineExperimentConfig.{name}");
                    self.warn_never_cached(node, site, &what);
                }
                let reference = Reference::Experiment(variable);
                return Some(Typed::new(Expression::Get(reference), Some(ScalarType::String)));
            }
        };
        self.report(Draft::at(node, Code::MisplacedReference, message));
        None
    }

    fn step_reference(
        &mut self,
        node: Node<'d>,
        rest: &'d str,
        site: &mut Site<'d>,
    ) -> Option<Typed> {
        let (target, path) = self.split_step(node, rest, site)?;
        let found = self.property_type(node, target, &path).ok()?;
        let step = StepName::parse(self.outline.step(target).name).ok()?;
        Some(Typed::new(Expression::Get(Reference::Step { step, path }), found))
    }

    /// Splits `STEP.PATH`, looks the step up and notes the edge.
    fn split_step(
        &mut self,
        node: Node<'d>,
        rest: &'d str,
        site: &mut Site<'d>,
    ) -> Option<(StepIndex, PropertyPath)> {
        let (name, path) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
        let target = if site.step.is_some() {
            self.find_step(node, name)
        } else {
            let message = "`PipelineExperimentConfig` is evaluated before any step";
            self.report(Draft::at(node, Code::MisplacedReference, message));
            None
        };
        if let Some(target) = target {
            self.wait_for(target, node, site);
        }
        if path.is_empty() {
            let message = "a property must follow the step's name";
            self.report(Draft::at(node, Code::InvalidPath, message).allowed("Steps.STEP.PROPERTY"));
            return None;
        }
        match PropertyPath::parse(path.strip_prefix('.').unwrap_or(path)) {
            Ok(path) => Some((target?, path)),
            Err(error) => {
                self.report(Draft::at(node, Code::InvalidPath, error.to_string()));
                None
            }
        }
    }

    /// The type of a property, `None` where it is known only when it is read.
    fn property_type(
        &mut self,
        node: Node<'d>,
        target: StepIndex,
        path: &PropertyPath,
    ) -> Result<Option<ScalarType>, Reported> {
        let step = self.outline.step(target);
        let (name, step_type) = (cut(step.name), step.step_type);
        let is = |segment: &Segment, key: &str| matches!(segment, Segment::Key(k) if k == key);
        match (step_type, path.0.as_slice()) {
            // Reported as a dependency.
            ("Fail", _) => Err(Reported),
            ("Condition", [outcome]) if is(outcome, "Outcome") => Ok(Some(ScalarType::String)),
            ("Condition", _) => {
                let message = format!("Condition step `{name}` has no property `{path}`");
                self.report(Draft::at(node, Code::UnknownProperty, message).allowed("Outcome"));
                Err(Reported)
            }
            ("Lambda" | "Callback", [outputs, Segment::Key(output)])
                if is(outputs, "OutputParameters") =>
            {
                if let Some(scalar_type) = step.outputs.get(output.as_str()) {
                    return Ok(*scalar_type);
                }
                let declared = self.names(step.outputs.keys().copied());
                let hint = self.did_you_mean(output, declared.iter().copied());
                let message = format!("step `{name}` declares no output `{}`", cut(output));
                let draft = Draft::at(node, Code::UnknownProperty, message);
                self.report(draft.allowed(list(declared.into_iter())).hint(hint));
                Err(Reported)
            }
            ("Lambda" | "Callback", [outputs, Segment::Key(_), _, ..])
                if is(outputs, "OutputParameters") =>
            {
                let message = format!(
                    "`{path}` reaches into an output of step `{name}`: outputs are scalars, a list or object is one JSON string"
                );
                self.report(Draft::at(node, Code::UnknownProperty, message));
                Err(Reported)
            }
            ("Lambda" | "Callback", _) => {
                let message = format!("{step_type} step `{name}` has no property `{path}`");
                let draft = Draft::at(node, Code::UnknownProperty, message);
                self.report(draft.allowed("OutputParameters['NAME']"));
                Err(Reported)
            }
            (_, [files, ..]) if is(files, "PropertyFiles") => {
                let message = "a property file can be read only by `Std:JsonGet`";
                let draft = Draft::at(node, Code::MisplacedReference, message);
                self.report(
                    draft.allowed("{\"Std:JsonGet\": {\"PropertyFile\": ..., \"Path\": ...}}"),
                );
                Err(Reported)
            }
            (_, [outcome]) if is(outcome, "Outcome") => {
                let message = format!("{step_type} step `{name}` has no property `Outcome`");
                let draft = Draft::at(node, Code::UnknownProperty, message);
                self.report(draft.hint(Some("only Condition steps have one".to_owned())));
                Err(Reported)
            }
            _ => Ok(None),
        }
    }

    /// `{"Get":"Steps.STEP.PropertyFiles.FILE"}` inside `Std:JsonGet`.
    pub(super) fn property_file(
        &mut self,
        node: Node<'d>,
        site: &mut Site<'d>,
    ) -> Option<(StepName, String)> {
        if !self.object(node, &["Get"]) {
            return None;
        }
        let get = self.required(node, "Get")?;
        let text = self.string(get)?;
        let Some(rest) = text.strip_prefix("Steps.") else {
            let message = format!("`{}` is not a property file", cut(text));
            let draft = Draft::at(get, Code::InvalidExpression, message);
            self.report(draft.allowed("Steps.STEP.PropertyFiles.FILE"));
            return None;
        };
        let (target, path) = self.split_step(get, rest, site)?;
        let step = self.outline.step(target);
        let name = StepName::parse(step.name).ok()?;
        let [Segment::Key(key), Segment::Key(file)] = path.0.as_slice() else {
            let message = format!("`{path}` is not a property file");
            let draft = Draft::at(get, Code::UnknownProperty, message);
            self.report(draft.allowed("Steps.STEP.PropertyFiles.FILE"));
            return None;
        };
        if key == "PropertyFiles"
            && step.step_type == "Processing"
            && step.property_files.contains(file.as_str())
        {
            return Some((name, file.clone()));
        }
        let is_processing = step.step_type == "Processing";
        let files = step.property_files.iter().copied().filter(|_| is_processing);
        let files = self.names(files);
        let hint = self.did_you_mean(file, files.iter().copied());
        let message = format!("step `{name}` declares no property file `{}`", cut(file));
        let draft = Draft::at(get, Code::UnknownProperty, message);
        self.report(draft.allowed(list(files.into_iter())).hint(hint));
        None
    }
}
