//! What a reference of a definition stands for: a parameter, a variable, a property of a step.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Pending, Planned, Resolver};
use crate::definition::expression::{
    ExecutionVariable, ExperimentVariable, Expression, Reference, Scope, Unresolved,
};
use crate::definition::output::convert_output;
use crate::definition::property_path::{FAILURE_REASON, PropertyPath, Segment};
use crate::definition::{JobStep, StepIndex, StepKind, StepType};
use crate::execution::phase::Phase;
use crate::job::name::{Named, job_name};
use crate::job::{JobType, answer};
use crate::name::StepName;
use crate::plan::facts::Need;
use crate::uri::S3Uri;

impl Resolver<'_> {
    /// Returns true if the reading step finds `null` in `step`: it did not succeed, and the
    /// reader's trigger rule or its trigger lets it start all the same.
    fn reads_null(&self, step: StepIndex) -> bool {
        let allows_failure = |reader| self.pipeline.step(reader).allows_failure(step);
        !self.states[step.0].phase.has_succeeded() && self.reader.is_some_and(allows_failure)
    }

    /// Returns why a step failed, and `None` if it did not fail.
    fn failure_reason(&self, step: StepIndex) -> Planned<Option<String>> {
        let state = self.states[step.0];
        if state.phase != Phase::Failed {
            return Ok(None);
        }
        let failure = self.commit(state.revision)?.failure(step);
        Ok(failure.map(|failure| failure.message.clone()))
    }

    fn property(
        &self,
        reference: &Reference,
        step: StepIndex,
        path: &PropertyPath,
    ) -> Result<Value, Unresolved<Pending>> {
        let absent =
            |why: String| Err(Unresolved::Absent(format!("`{reference}` has no value: {why}")));
        let definition = self.pipeline.step(step);
        if let [Segment::Key(key)] = path.0.as_slice()
            && key == FAILURE_REASON
            && definition.kind.step_type().rules().has_outputs
        {
            return Ok(self.failure_reason(step)?.map_or(Value::Null, Value::from));
        }
        if self.reads_null(step) {
            return Ok(Value::Null);
        }
        match (&definition.kind, self.states[step.0].phase, path.0.as_slice()) {
            (StepKind::Condition { .. }, Phase::ConditionTrue, [Segment::Key(key)])
                if key == "Outcome" =>
            {
                Ok(Value::String("true".to_owned()))
            }
            (StepKind::Condition { .. }, Phase::ConditionFalse, [Segment::Key(key)])
                if key == "Outcome" =>
            {
                Ok(Value::String("false".to_owned()))
            }
            (StepKind::Job(_), phase, _) if phase.has_succeeded() => {
                let answer = self.answer(step)?;
                let none = || {
                    Unresolved::Absent(format!(
                        "`{reference}` has no value: the job's answer does not have it"
                    ))
                };
                answer::property(path, &answer).ok_or_else(none)
            }
            (kind, _, [Segment::Key(root), Segment::Key(name)])
                if kind.step_type().rules().has_outputs && root == "OutputParameters" =>
            {
                let Some(produced) = self.produced(step)? else {
                    return absent(format!("step `{}` has no outputs", definition.name));
                };
                let Some(declared) = definition.outputs().iter().find(|out| out.name == *name)
                else {
                    return absent(format!("step `{}` does not declare it", definition.name));
                };
                match self.outputs(produced)?.get(name) {
                    Some(value) => convert_output(value, declared.output_type).or_else(absent),
                    None => absent(format!("step `{}` did not return it", definition.name)),
                }
            }
            _ => absent(format!("step `{}` has no such property", definition.name)),
        }
    }

    /// Returns the Describe answer of a job that succeeded, or for which an earlier one stands in.
    fn answer(&self, step: StepIndex) -> Result<Map<String, Value>, Unresolved<Pending>> {
        let name = &self.pipeline.step(step).name;
        let Some(produced) = self.produced(step)? else {
            return Err(Unresolved::Absent(format!("step `{name}` has no answer of a job")));
        };
        self.outputs(produced)
    }

    /// Returns the name of the reading step's own job.
    fn own_name(
        &self,
        variable: ExecutionVariable,
        step_type: StepType,
    ) -> Result<String, Unresolved<Pending>> {
        let absent = |why: &str| {
            let name = variable.name();
            Err(Unresolved::Absent(format!("`Execution.{name}` {why}")))
        };
        let reader =
            self.reader.filter(|reader| self.pipeline.step(*reader).step_type() == step_type);
        let (Some(step), Some(kind)) = (reader, JobType::of(step_type)) else {
            return absent("exists only inside such a job");
        };
        let definition = self.pipeline.step(step);
        let prefix = match &definition.kind {
            StepKind::Job(JobStep { arguments: Expression::Object(members), .. }) => {
                members.get(kind.name_member)
            }
            _ => None,
        };
        let mut is_circle = false;
        let reads_itself = |reference: &Reference| *reference == Reference::Execution(variable);
        prefix.inspect(|prefix| {
            prefix.references(&mut |reference| is_circle |= reads_itself(reference));
        });
        if is_circle {
            return absent("cannot be a part of the job's own name");
        }
        let prefix = prefix.map(|prefix| prefix.evaluate(self)).transpose()?;
        let of = Named {
            execution_id: &self.start.execution_id,
            step: &definition.name,
            attempt_count: self.next_attempt_count(step)?,
        };
        Ok(job_name(&kind, of, prefix.as_ref().and_then(Value::as_str)))
    }

    fn variable(&self, variable: ExecutionVariable) -> Result<Value, Unresolved<Pending>> {
        let start = self.start;
        let time = |at_ms: u64| {
            let nanoseconds = i128::from(at_ms) * 1_000_000;
            OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
                .ok()
                .and_then(|time| time.format(&Rfc3339).ok())
                .unwrap_or_default()
        };
        Ok(Value::String(match variable {
            ExecutionVariable::StartDateTime => time(start.started_at_ms),
            ExecutionVariable::CurrentDateTime => time(self.facts.now_ms),
            ExecutionVariable::PipelineName => start.pipeline_name.to_string(),
            ExecutionVariable::PipelineArn => start.pipeline_arn.clone(),
            ExecutionVariable::PipelineExecutionId => start.execution_id.to_string(),
            ExecutionVariable::PipelineExecutionArn => start.execution_arn(),
            ExecutionVariable::TrainingJobName => self.own_name(variable, StepType::Training)?,
            ExecutionVariable::ProcessingJobName => {
                self.own_name(variable, StepType::Processing)?
            }
        }))
    }
}

impl Scope for Resolver<'_> {
    type Missing = Pending;

    fn reference(&self, reference: &Reference) -> Result<Value, Unresolved<Pending>> {
        let absent = || Unresolved::Absent(format!("`{reference}` does not exist"));
        match reference {
            Reference::Parameter(name) => {
                self.start.parameters.get(name).cloned().ok_or_else(absent)
            }
            Reference::Step { step, path } => {
                let index = self.pipeline.find(step).ok_or_else(absent)?;
                self.property(reference, index, path)
            }
            Reference::Execution(variable) => self.variable(*variable),
            Reference::Experiment(variable) => {
                let config = self.pipeline.experiment.as_ref().ok_or_else(absent)?;
                match variable {
                    ExperimentVariable::ExperimentName => config.experiment_name.evaluate(self),
                    ExperimentVariable::TrialName => config.trial_name.evaluate(self),
                }
            }
        }
    }

    fn property_file(&self, step: &StepName, file: &str) -> Result<S3Uri, Unresolved<Pending>> {
        let absent = |why: &str| {
            Err(Unresolved::Absent(format!("property file `{file}` of step `{step}` {why}")))
        };
        let Some(index) = self.pipeline.find(step) else { return absent("does not exist") };
        let StepKind::Job(job) = &self.pipeline.step(index).kind else {
            return absent("does not exist");
        };
        let Some(declared) = job.property_files.iter().find(|it| it.name == file) else {
            return absent("is not declared");
        };
        if !self.states[index.0].phase.has_succeeded() {
            return absent("cannot be read: the step did not succeed");
        }
        let found = answer::property_file(&self.answer(index)?, &declared.output, &declared.path);
        found.map_or_else(|| absent("has no place: the job has no such output in S3"), Ok)
    }

    fn document(&self, uri: &S3Uri) -> Result<Value, Unresolved<Pending>> {
        match self.facts.documents.get(uri) {
            Some(Ok(document)) => Ok(document.clone()),
            Some(Err(why)) => Err(Unresolved::Absent(why.clone())),
            None => Err(self.pending(Need::Document(uri.clone())).into()),
        }
    }
}
