//! Checks properties of steps: that the type has them, that outputs are declared, and their types.

use crate::definition::property_path::{FAILURE_REASON, PropertyPath, Segment};
use crate::definition::{ScalarType, StepIndex, StepType};
use crate::name::StepName;
use crate::parse::problem::Code;
use crate::parse::suggest::list;
use crate::parse::text::{Finding, Node};

use super::dependency::Site;
use super::member::cut;
use super::outline::rules_of;
use super::reader::Reader;

/// A mistake that was reported.
pub(super) struct Reported;

impl<'d> Reader<'d> {
    /// Returns true for `FailureReason` of a step that has attempts.
    pub(super) fn is_failure_reason(&self, target: StepIndex, path: &PropertyPath) -> bool {
        let has_outputs = rules_of(self.outline.step(target).step_type).has_outputs;
        has_outputs && matches!(path.0.as_slice(), [Segment::Key(key)] if key == FAILURE_REASON)
    }

    /// Reports a failure reason that is read where it never has a value: by a step that starts only
    /// if the other one succeeded.
    pub(super) fn check_reads_failure(
        &mut self,
        node: Node<'d>,
        target: StepIndex,
        site: &Site<'d>,
    ) {
        if !site.reads_failures && !site.triggers.contains_key(&target) {
            let name = cut(self.outline.step(target).name);
            let message = format!(
                "`{FAILURE_REASON}` of step `{name}` is read by a step that starts only if `{name}` succeeded"
            );
            let finding = Finding::at(node, Code::MisplacedReference, message);
            self.report(finding.allowed(
                "`TriggerRule` AllDone, NoneFailed or AnySucceeded, or a `Trigger` in `DependsOn`",
            ));
        }
    }

    /// Returns the type of a property; `None` if it is known only at run time.
    pub(super) fn property_type(
        &mut self,
        node: Node<'d>,
        target: StepIndex,
        path: &PropertyPath,
    ) -> Result<Option<ScalarType>, Reported> {
        let step = self.outline.step(target);
        let (name, type_name) = (cut(step.name), step.type_name);
        let has_outputs = rules_of(step.step_type).has_outputs;
        let is = |segment: &Segment, key: &str| matches!(segment, Segment::Key(k) if k == key);
        match (step.step_type, path.0.as_slice()) {
            // This was reported as a dependency.
            (Some(StepType::Fail), _) => Err(Reported),
            (Some(StepType::Condition), [outcome]) if is(outcome, "Outcome") => {
                Ok(Some(ScalarType::String))
            }
            (Some(StepType::Condition), _) => {
                let message = format!("Condition step `{name}` has no property `{path}`");
                self.report(Finding::at(node, Code::UnknownProperty, message).allowed("Outcome"));
                Err(Reported)
            }
            (_, [outputs, Segment::Key(output)])
                if has_outputs && is(outputs, "OutputParameters") =>
            {
                if let Some(scalar_type) = step.outputs.get(output.as_str()) {
                    return Ok(*scalar_type);
                }
                let declared = self.names(step.outputs.keys().copied());
                let hint = self.did_you_mean(output, declared.iter().copied());
                let message = format!("step `{name}` declares no output `{}`", cut(output));
                let finding = Finding::at(node, Code::UnknownProperty, message);
                self.report(finding.allowed(list(declared.into_iter())).hint(hint));
                Err(Reported)
            }
            (_, [outputs, Segment::Key(_), _, ..])
                if has_outputs && is(outputs, "OutputParameters") =>
            {
                let message = format!(
                    "`{path}` reaches into an output of step `{name}`: outputs are scalars, a list or object is one JSON string"
                );
                self.report(Finding::at(node, Code::UnknownProperty, message));
                Err(Reported)
            }
            _ if has_outputs => {
                let message = format!("{type_name} step `{name}` has no property `{path}`");
                let finding = Finding::at(node, Code::UnknownProperty, message);
                self.report(finding.allowed("OutputParameters['NAME']"));
                Err(Reported)
            }
            (_, [files, ..]) if is(files, "PropertyFiles") => {
                let message = "a property file can be read only by `Std:JsonGet`";
                let finding = Finding::at(node, Code::MisplacedReference, message);
                self.report(
                    finding.allowed("{\"Std:JsonGet\": {\"PropertyFile\": ..., \"Path\": ...}}"),
                );
                Err(Reported)
            }
            (_, [outcome]) if is(outcome, "Outcome") => {
                let message = format!("{type_name} step `{name}` has no property `Outcome`");
                let finding = Finding::at(node, Code::UnknownProperty, message);
                self.report(finding.hint(Some("only Condition steps have one".to_owned())));
                Err(Reported)
            }
            _ => Ok(None),
        }
    }

    /// Reads `{"Get":"Steps.STEP.PropertyFiles.FILE"}` inside `Std:JsonGet`.
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
            let message = format!("invalid property file `{}`", cut(text));
            let finding = Finding::at(get, Code::InvalidExpression, message);
            self.report(finding.allowed("Steps.STEP.PropertyFiles.FILE"));
            return None;
        };
        let (target, path) = self.split_step(get, rest, site)?;
        let step = self.outline.step(target);
        let name = StepName::parse(step.name).ok()?;
        let [Segment::Key(key), Segment::Key(file)] = path.0.as_slice() else {
            let message = format!("invalid property file `{path}`");
            let finding = Finding::at(get, Code::UnknownProperty, message);
            self.report(finding.allowed("Steps.STEP.PropertyFiles.FILE"));
            return None;
        };
        let is_processing = step.step_type == Some(StepType::Processing);
        if key == "PropertyFiles" && is_processing && step.property_files.contains(file.as_str()) {
            return Some((name, file.clone()));
        }
        let declared = step.property_files.iter().copied().filter(|_| is_processing);
        let files = self.names(declared);
        let hint = self.did_you_mean(file, files.iter().copied());
        let message = format!("step `{name}` declares no property file `{}`", cut(file));
        let finding = Finding::at(get, Code::UnknownProperty, message);
        self.report(finding.allowed(list(files.into_iter())).hint(hint));
        None
    }
}
