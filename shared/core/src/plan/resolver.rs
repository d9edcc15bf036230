//! Answers the planner's questions about one execution: parameters, outputs of finished steps,
//! execution variables, S3 content.
//!
//! A question whose answer is not among the facts records a [`Need`] and returns [`Pending`]. So a
//! rule asks with `?` and stops where it cannot go on; the plan is made again when the needs have
//! been gathered.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cache::key::{Content, listing_digest};
use crate::definition::expression::{
    ExecutionVariable, ExperimentVariable, Expression, Reference, Scope, Unresolved,
};
use crate::definition::output::convert_output;
use crate::definition::property_path::{FAILURE_REASON, PropertyPath, Segment};
use crate::definition::{JobStep, Pipeline, StepIndex, StepKind, StepType};
use crate::execution::commit::{Claim, Commit};
use crate::execution::inputs::Inputs;
use crate::execution::manifest::Artifact;
use crate::execution::past::PastExecution;
use crate::execution::phase::{Phase, Revision, StepState};
use crate::execution::result::{Outputs, Produced};
use crate::execution::start::Start;
use crate::execution::trace::Trace;
use crate::job::content::{Files, files_digest};
use crate::job::name::{Named, job_name};
use crate::job::{JobType, answer};
use crate::name::{ExecutionId, StepName};
use crate::plan::facts::{Facts, Need};
use crate::uri::S3Uri;

/// The mark of a decision that has to wait for a fact. The fact is recorded among the draft's
/// needs, so the caller only has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pending;

/// The answer to a question, or [`Pending`].
pub(crate) type Planned<T> = Result<T, Pending>;

impl From<Pending> for Unresolved<Pending> {
    fn from(pending: Pending) -> Self {
        Self::Missing(pending)
    }
}

/// Tells a value that can never exist, which is an answer in words, from one that is pending.
pub(crate) fn answered<T>(result: Result<T, Unresolved<Pending>>) -> Planned<Result<T, String>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Unresolved::Absent(why)) => Ok(Err(why)),
        Err(Unresolved::Missing(pending)) => Err(pending),
    }
}

/// The state of an execution while a commit is being drafted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolver<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) start: &'a Start,
    pub(crate) facts: &'a Facts,
    pub(crate) states: &'a [StepState],
    pub(crate) draft: &'a Commit,
    /// The facts that were asked for and are missing.
    pub(crate) needs: &'a RefCell<BTreeSet<Need>>,
    /// The step that reads.
    pub(crate) reader: Option<StepIndex>,
    /// Records the places that a key is made from.
    pub(crate) watch: Option<&'a Watch>,
}

/// A record of the places that a key is made from.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: RefCell<Inputs>,
    /// If true, everything that would be looked up in S3 stands for itself.
    is_literal: bool,
}

impl Watch {
    /// Returns a watch with which places stand for themselves.
    pub(crate) fn literal() -> Self {
        Self { is_literal: true, ..Self::default() }
    }

    pub(crate) fn into_inputs(self) -> Inputs {
        self.seen.into_inner()
    }

    fn saw_artifacts(&self, uri: &S3Uri) {
        self.seen.borrow_mut().artifacts.insert(uri.clone());
    }

    fn saw_files(&self, uri: &S3Uri, files: &Files) {
        self.seen.borrow_mut().stored.insert(uri.clone(), Some(files_digest(files)));
    }

    fn saw(&self, uri: &S3Uri, content: &Content) {
        self.seen.borrow_mut().stored.insert(uri.clone(), content.clone().into_digest());
    }
}

impl<'a> Resolver<'a> {
    /// Records that a fact is missing.
    pub(crate) fn pending(&self, need: Need) -> Pending {
        self.needs.borrow_mut().insert(need);
        Pending
    }

    /// Returns the commit at `revision`, which may be the one that is being drafted.
    pub(crate) fn commit(&self, revision: Revision) -> Planned<&'a Commit> {
        if revision == self.draft.revision {
            return Ok(self.draft);
        }
        let known = self.facts.commits.get(&revision);
        known.ok_or_else(|| self.pending(Need::Commit(revision)))
    }

    /// Returns the claim on `step` that was made at `revision`, and when it was made. Returns
    /// `None` if that commit makes none.
    pub(crate) fn claim(
        &self,
        step: StepIndex,
        revision: Revision,
    ) -> Planned<Option<(&'a Claim, u64)>> {
        if let Some((of, known)) = &self.facts.claimed
            && (*of, known.revision) == (step, revision)
        {
            return Ok(Some((&known.claim, known.at_ms)));
        }
        let commit = self.commit(revision)?;
        Ok(commit.claim(step).map(|claim| (claim, commit.at_ms)))
    }

    /// Returns what a step that succeeded left behind, and `None` for steps without outputs.
    fn produced(&self, step: StepIndex) -> Planned<Option<&'a Produced>> {
        Ok(self.commit(self.states[step.0].revision)?.produced(step))
    }

    /// Returns the artifacts of the steps that the reading step waits for.
    pub(crate) fn artifacts(&self) -> Planned<Vec<&'a Artifact>> {
        let reader = self.reader.map(|reader| &self.pipeline.step(reader).dependencies);
        let mut artifacts = Vec::new();
        for step in reader.into_iter().flatten().copied() {
            if let Some(produced) = self.produced(step)? {
                artifacts.extend(&produced.artifacts);
            }
        }
        Ok(artifacts)
    }

    /// Returns what `uri` holds, as the reading step sees it.
    ///
    /// The digest of an artifact is taken from the manifest of the step that wrote it, without a
    /// request.
    pub(crate) fn content(&self, uri: &S3Uri) -> Result<Content, Unresolved<Pending>> {
        let artifacts = self.artifacts()?;
        if let Some(artifact) = artifacts.iter().find(|artifact| artifact.uri == *uri) {
            return Ok(Content::Digest(format!("sha256:{}", artifact.sha256)));
        }
        let below = |artifact: &&Artifact| -> Option<(String, String)> {
            let is_below = uri.is_prefix() && artifact.uri.bucket() == uri.bucket();
            let name = artifact.uri.key().strip_prefix(uri.key()).filter(|_| is_below)?;
            Some((name.to_owned(), format!("sha256:{}", artifact.sha256)))
        };
        let listing: Vec<_> = artifacts.iter().filter_map(below).collect();
        if !listing.is_empty() {
            let pairs = listing.iter().map(|(name, digest)| (name.as_str(), digest.as_str()));
            self.watch.inspect(|watch| watch.saw_artifacts(uri));
            return Ok(Content::Digest(listing_digest(uri, pairs)));
        }
        if self.watch.is_some_and(|watch| watch.is_literal) {
            return Ok(Content::Nothing);
        }
        let content = self.stored_content(uri)?;
        self.watch.inspect(|watch| watch.saw(uri, &content));
        Ok(content)
    }

    /// Returns the files of a job's input, as they are right now.
    pub(crate) fn files(&self, uri: &S3Uri) -> Result<Files, Unresolved<Pending>> {
        match self.facts.files.get(uri) {
            Some(Ok(files)) => {
                self.watch.inspect(|watch| watch.saw_files(uri, files));
                Ok(files.clone())
            }
            Some(Err(why)) => Err(Unresolved::Absent(why.clone())),
            None => Err(self.pending(Need::Files(uri.clone())).into()),
        }
    }

    /// Returns the number of the step's next attempt.
    pub(crate) fn next_attempt_count(&self, step: StepIndex) -> Planned<u32> {
        Ok(match self.states[step.0].revision {
            0 => 1,
            revision => self.commit(revision)?.attempts(step) + 1,
        })
    }

    /// Returns what `uri` holds in S3 right now.
    pub(crate) fn stored_content(&self, uri: &S3Uri) -> Result<Content, Unresolved<Pending>> {
        match self.facts.contents.get(uri) {
            Some(Ok(content)) => Ok(content.clone()),
            Some(Err(why)) => Err(Unresolved::Absent(why.clone())),
            None => Err(self.pending(Need::Content(uri.clone())).into()),
        }
    }

    /// Returns the digest of everything that begins with the key of `prefix` right now.
    pub(crate) fn listing(&self, prefix: &S3Uri) -> Planned<&'a Result<Option<String>, String>> {
        let known = self.facts.listings.get(prefix);
        known.ok_or_else(|| self.pending(Need::Listing(prefix.clone())))
    }

    /// Returns what the attempt with this output prefix read and wrote, if that is known.
    pub(crate) fn trace(&self, prefix: &S3Uri) -> Planned<Option<&'a Trace>> {
        if !self.facts.is_traced {
            return Ok(None);
        }
        let known = self.facts.traces.get(prefix).map(Option::as_ref);
        known.ok_or_else(|| self.pending(Need::Trace(prefix.clone())))
    }

    /// Returns the outputs of a result, which may be stored in its manifest.
    pub(crate) fn outputs(
        &self,
        produced: &Produced,
    ) -> Result<Map<String, Value>, Unresolved<Pending>> {
        match &produced.outputs {
            Outputs::Inline(outputs) => Ok(outputs.clone()),
            Outputs::Stored(uri) => self.stored_outputs(uri),
        }
    }

    /// Returns the outputs in the manifest at `uri`.
    pub(crate) fn stored_outputs(
        &self,
        uri: &S3Uri,
    ) -> Result<Map<String, Value>, Unresolved<Pending>> {
        match self.document(uri)?.get("Outputs") {
            Some(Value::Object(outputs)) => Ok(outputs.clone()),
            _ => Err(Unresolved::Absent(format!("`{uri}` is not a manifest"))),
        }
    }

    /// Returns an earlier execution, and `None` if it is gone.
    pub(crate) fn earlier(&self, id: &ExecutionId) -> Planned<Option<&'a Arc<PastExecution>>> {
        match self.facts.earlier.get(id) {
            Some(earlier) => Ok(earlier.as_ref()),
            None => Err(self.pending(Need::PastExecution(id.clone()))),
        }
    }

    /// Evaluates `expression`. Asks for every fact that is missing, and not only for the first.
    pub(crate) fn evaluate(&self, expression: &Expression) -> Planned<Result<Value, String>> {
        let value = answered(expression.evaluate(self));
        if value.is_err() {
            expression.references(&mut |reference| {
                let _recorded = self.reference(reference);
            });
        }
        value
    }

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
