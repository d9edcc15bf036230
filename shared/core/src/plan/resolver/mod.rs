//! Answers the planner's questions about one execution: parameters, outputs of finished steps,
//! execution variables, S3 content.
//!
//! A question whose answer is not among the facts records a [`Need`] and returns [`Pending`]. So a
//! rule asks with `?` and stops where it cannot go on; the plan is made again when the needs have
//! been gathered.

mod reference;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::cache::key::{Content, listing_digest};
use crate::definition::expression::{Expression, Scope as _, Unresolved};
use crate::definition::{Pipeline, StepIndex};
use crate::execution::commit::{Claim, Commit};
use crate::execution::inputs::Inputs;
use crate::execution::manifest::Artifact;
use crate::execution::past::PastExecution;
use crate::execution::phase::{Revision, StepState};
use crate::execution::result::{Outputs, Produced};
use crate::execution::start::Start;
use crate::execution::trace::Trace;
use crate::job::content::{Files, files_digest};
use crate::name::ExecutionId;
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
}
