//! Looks names up in one execution: parameters, outputs of finished steps, execution variables, S3 content.

use std::sync::Arc;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cache::key::{Content, canonical_sha256, listing_digest, replace_content};
use crate::definition::condition::{ChangeScope, Verdict};
use crate::definition::expression::{
    ExecutionVariable, ExperimentVariable, Expression, Reference, Scope, Unresolved,
};
use crate::definition::extension::TriggerRule;
use crate::definition::output::convert_output;
use crate::definition::property_path::{PropertyPath, Segment};
use crate::definition::{Pipeline, StepIndex, StepKind};
use crate::execution::commit::{Claim, Commit};
use crate::execution::manifest::Artifact;
use crate::execution::past::PastExecution;
use crate::execution::phase::{Phase, Revision, StepState};
use crate::execution::result::{Outputs, Produced};
use crate::execution::start::Start;
use crate::name::{ExecutionId, StepName};
use crate::plan::facts::{Facts, Need};
use crate::uri::S3Uri;

/// The state of an execution while a commit is being drafted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolver<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) start: &'a Start,
    pub(crate) facts: &'a Facts,
    pub(crate) states: &'a [StepState],
    pub(crate) draft: &'a Commit,
    /// The step that reads.
    pub(crate) reader: Option<StepIndex>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn commit(&self, revision: Revision) -> Result<&'a Commit, Need> {
        if revision == self.draft.revision {
            return Ok(self.draft);
        }
        self.facts.commits.get(&revision).ok_or(Need::Commit(revision))
    }

    /// The claim on `step` that was made at `revision`, and when; `None` if that commit makes none.
    pub(crate) fn claim(
        &self,
        step: StepIndex,
        revision: Revision,
    ) -> Result<Option<(&'a Claim, u64)>, Need> {
        if let Some((of, known)) = &self.facts.claimed
            && (*of, known.revision) == (step, revision)
        {
            return Ok(Some((&known.claim, known.at_ms)));
        }
        let commit = self.commit(revision)?;
        Ok(commit.claim(step).map(|claim| (claim, commit.at_ms)))
    }

    /// What a step that succeeded left behind; `None` for steps without outputs.
    fn produced(&self, step: StepIndex) -> Result<Option<&'a Produced>, Need> {
        Ok(self.commit(self.states[step.0].revision)?.produced(step))
    }

    /// What `uri` holds, as the reading step sees it.
    ///
    /// The digest of an artifact is taken from the manifest of the step that wrote it, without a request.
    pub(crate) fn content(&self, uri: &S3Uri) -> Result<Content, Unresolved<Need>> {
        let mut artifacts: Vec<&Artifact> = Vec::new();
        let reader = self.reader.map(|reader| &self.pipeline.step(reader).dependencies);
        for step in reader.into_iter().flatten().copied() {
            if let Some(produced) = self.produced(step).map_err(Unresolved::Missing)? {
                artifacts.extend(&produced.artifacts);
            }
        }
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
            return Ok(Content::Digest(listing_digest(pairs)));
        }
        self.stored_content(uri)
    }

    /// What `uri` holds in S3 right now.
    pub(crate) fn stored_content(&self, uri: &S3Uri) -> Result<Content, Unresolved<Need>> {
        match self.facts.contents.get(uri) {
            Some(Ok(content)) => Ok(content.clone()),
            Some(Err(why)) => Err(Unresolved::Absent(why.clone())),
            None => Err(Unresolved::Missing(Need::Content(uri.clone()))),
        }
    }

    fn outputs(&self, produced: &Produced) -> Result<Map<String, Value>, Unresolved<Need>> {
        match &produced.outputs {
            Outputs::Inline(outputs) => Ok(outputs.clone()),
            Outputs::Stored(uri) => self.stored_outputs(uri),
        }
    }

    /// The outputs in a manifest.
    pub(crate) fn stored_outputs(
        &self,
        uri: &S3Uri,
    ) -> Result<Map<String, Value>, Unresolved<Need>> {
        match self.document(uri)?.get("Outputs") {
            Some(Value::Object(outputs)) => Ok(outputs.clone()),
            _ => Err(Unresolved::Absent(format!("`{uri}` is not a manifest"))),
        }
    }

    /// An earlier execution; `None` when it is gone.
    pub(crate) fn earlier(&self, id: &ExecutionId) -> Result<Option<&'a Arc<PastExecution>>, Need> {
        match self.facts.earlier.get(id) {
            Some(earlier) => Ok(earlier.as_ref()),
            None => Err(Need::PastExecution(id.clone())),
        }
    }

    /// The digest of a value in which every S3 URI stands for what it holds.
    pub(crate) fn content_digest(&self, value: &Expression) -> Result<String, Unresolved<Need>> {
        let value = value.evaluate(self)?;
        let value = replace_content(&value, &mut |uri| self.content(uri))?;
        Ok(canonical_sha256(&value))
    }

    /// Whether a step that reads another one which did not succeed finds `null` there: where its trigger rule lets it start all the same.
    fn reads_null(&self, phase: Phase) -> bool {
        let rule = self.reader.map(|reader| self.pipeline.step(reader).trigger_rule);
        !phase.has_succeeded() && rule.is_some_and(|rule| rule != TriggerRule::AllSucceeded)
    }

    fn property(
        &self,
        reference: &Reference,
        step: StepIndex,
        path: &PropertyPath,
    ) -> Result<Value, Unresolved<Need>> {
        let absent =
            |why: String| Err(Unresolved::Absent(format!("`{reference}` has no value: {why}")));
        let definition = self.pipeline.step(step);
        if self.reads_null(self.states[step.0].phase) {
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
            (kind, _, [Segment::Key(root), Segment::Key(name)])
                if kind.step_type().rules().has_outputs && root == "OutputParameters" =>
            {
                let Some(produced) = self.produced(step).map_err(Unresolved::Missing)? else {
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

    fn variable(&self, variable: ExecutionVariable) -> Result<Value, Unresolved<Need>> {
        let start = self.start;
        let time = |at_ms: u64| {
            let nanoseconds = i128::from(at_ms) * 1_000_000;
            let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok();
            time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
        };
        Ok(Value::String(match variable {
            ExecutionVariable::StartDateTime => time(start.started_at_ms),
            ExecutionVariable::CurrentDateTime => time(self.facts.now_ms),
            ExecutionVariable::PipelineName => start.pipeline_name.to_string(),
            ExecutionVariable::PipelineArn => start.pipeline_arn.clone(),
            ExecutionVariable::PipelineExecutionId => start.execution_id.to_string(),
            ExecutionVariable::PipelineExecutionArn => start.execution_arn(),
            ExecutionVariable::TrainingJobName | ExecutionVariable::ProcessingJobName => {
                let name = variable.name();
                let text = format!("`Execution.{name}` exists only inside such a job");
                return Err(Unresolved::Absent(text));
            }
        }))
    }
}

impl Scope for Resolver<'_> {
    type Need = Need;

    fn reference(&self, reference: &Reference) -> Result<Value, Unresolved<Need>> {
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

    fn document(&self, uri: &S3Uri) -> Result<Value, Unresolved<Need>> {
        match self.facts.documents.get(uri) {
            Some(Ok(document)) => Ok(document.clone()),
            Some(Err(why)) => Err(Unresolved::Absent(why.clone())),
            None => Err(Unresolved::Missing(Need::Document(uri.clone()))),
        }
    }
}

impl ChangeScope for Resolver<'_> {
    fn changed(&self, value: &Expression, text: &str) -> Result<Verdict, Unresolved<Need>> {
        let shown: String = text.chars().take(80).collect();
        let changed = |because| Ok(Verdict { holds: true, because });
        let now = self.content_digest(value)?;
        let Some(baseline) = &self.start.baseline else {
            return changed(format!("{shown} is new: no execution has succeeded yet"));
        };
        let earlier = self.earlier(baseline).map_err(Unresolved::Missing)?;
        match earlier.and_then(|earlier| earlier.observed(text)) {
            None => changed(format!("{shown} was not looked at in execution {baseline}")),
            Some(then) if *then == now => {
                let because = format!("{shown} is as it was in execution {baseline}");
                Ok(Verdict { holds: false, because })
            }
            Some(_) => changed(format!("{shown} differs from execution {baseline}")),
        }
    }

    fn code_changed(&self, step: &StepName) -> Result<Verdict, Unresolved<Need>> {
        let changed = |because| Ok(Verdict { holds: true, because });
        let Some(baseline) = &self.start.baseline else {
            return changed(format!("the code of `{step}` is new: no execution has succeeded yet"));
        };
        let function = self.pipeline.find(step).and_then(|index| {
            let StepKind::Lambda(lambda) = &self.pipeline.step(index).kind else { return None };
            self.start.functions.get(&lambda.function_arn)
        });
        let now = function.map(|function| function.code_digest.as_str());
        let earlier = self.earlier(baseline).map_err(Unresolved::Missing)?;
        let then = earlier.and_then(|earlier| earlier.code_digest(step));
        match (then, now) {
            (Some(then), Some(now)) if then == now => {
                let because = format!("the code of `{step}` is as it was in execution {baseline}");
                Ok(Verdict { holds: false, because })
            }
            (Some(then), Some(now)) => changed(format!(
                "the code of `{step}` went from {} to {} since execution {baseline}",
                short_digest(then),
                short_digest(now)
            )),
            _ => changed(format!("execution {baseline} had no code of `{step}`")),
        }
    }
}

/// The first digits of a digest, enough for people.
pub(crate) fn short_digest(digest: &str) -> &str {
    let start = digest.find(':').map_or(0, |colon| colon + 1);
    digest.get(start..start + 8).unwrap_or(digest)
}

/// Evaluates and collects every fact that is missing, not only the first.
pub(crate) fn evaluate_all(
    expression: &Expression,
    resolver: &Resolver<'_>,
    needs: &mut std::collections::BTreeSet<Need>,
) -> Option<Result<Value, String>> {
    match expression.evaluate(resolver) {
        Ok(value) => return Some(Ok(value)),
        Err(Unresolved::Absent(why)) => return Some(Err(why)),
        Err(Unresolved::Missing(need)) => needs.insert(need),
    };
    expression.references(&mut |reference| {
        if let Err(Unresolved::Missing(need)) = resolver.reference(reference) {
            needs.insert(need);
        }
    });
    None
}
