//! Rebuilds an execution whose items in the table are damaged or missing, from the rest of its
//! commits and from its manifests.

use std::collections::BTreeMap;

use sidestep_core::definition::{Pipeline, StepIndex, StepKind};
use sidestep_core::execution::commit::Revision;
use sidestep_core::execution::invocation::{MANIFEST_NAME, ManifestKey};
use sidestep_core::execution::start::Start;
use sidestep_core::execution::{Execution, ExecutionStatus, Phase};
use sidestep_core::name::{ExecutionId, StepName};
use sidestep_core::plan::Event;
use sidestep_core::plan::repair::{Found, repair};
use sidestep_core::uri::S3Uri;

use crate::engine::Engine;
use crate::error::{EngineError, RequestError};
use crate::loaded::fold;
use crate::memory::manifest::ManifestRead;

/// The result of a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// Commits that were left and follow from each other, up to this revision.
    pub kept: Revision,
    /// Commits behind a gap. It is unknown what they followed from, so they were removed.
    pub dropped: usize,
    /// Steps whose results were found in their manifests.
    pub taken: Vec<StepName>,
    pub status: ExecutionStatus,
}

impl Engine {
    /// Rebuilds an execution's state. Nothing else may advance it meanwhile.
    ///
    /// Twice is fine. Stopped half-way: a second call goes on.
    pub async fn repair(&self, id: &ExecutionId) -> Result<Repaired, EngineError> {
        let gone = || RequestError::StartGone { execution_id: id.clone() };
        let start = self.executions.start(id).await?.ok_or_else(gone)?;
        let (digest, format) = (&start.definition_digest, start.definition_format);
        let pipeline = self.definitions.get(digest, format).await?;
        let steps = pipeline.steps.len();
        let commits = self.executions.all_commits(id).await?;
        let mut execution = Execution::new(steps);
        let kept = commits.iter().take_while(|commit| execution.apply(commit).is_ok()).count();
        let (kept_to, dropped) = (execution.revision, commits.len() - kept);

        self.memory.forget_head(id);
        self.executions.forget(id, kept_to).await?;
        self.executions.create(&start, steps).await?;
        if let Some(last) = commits[..kept].last() {
            self.advance_head(&start, &execution, last).await?;
        }
        if execution.status.is_over() {
            let (taken, status) = (Vec::new(), execution.status);
            return Ok(Repaired { kept: kept_to, dropped, taken, status });
        }
        // Attempts whose commits are gone.
        let found = self.found(&start, &pipeline, &execution).await?;
        let (mut taken, mut event) = (Vec::new(), Event::Woken);
        if !found.is_empty() {
            let repair = repair(&pipeline, &start, &execution, &found, self.clock.now_ms());
            for commit in &repair.commits {
                self.executions.commit(id, commit).await?;
                fold(id, &mut execution, commit)?;
                self.advance_head(&start, &execution, commit).await?;
            }
            event = Event::RetryRequested;
            taken = repair.taken.iter().map(|step| pipeline.step(*step).name.clone()).collect();
        }
        let status = self.advance(id, vec![event]).await?;
        Ok(Repaired { kept: kept_to, dropped, taken, status })
    }

    /// Returns what S3 has of the Lambda steps that no commit mentions.
    async fn found(
        &self,
        start: &Start,
        pipeline: &Pipeline,
        execution: &Execution,
    ) -> Result<BTreeMap<StepIndex, Found>, EngineError> {
        let mut found: BTreeMap<StepIndex, Found> = BTreeMap::new();
        let prefix = &start.output_prefix;
        for (object, _) in self.objects.list(prefix, usize::MAX).await? {
            // `runs/PIPELINE/EXECUTION/STEP/ATTEMPT/...` stands for the manifest of that attempt.
            let folder: Vec<_> = object.splitn(6, '/').take(5).collect();
            let manifest = format!("{}/{MANIFEST_NAME}", folder.join("/"));
            let uri = S3Uri::new(prefix.bucket(), manifest);
            let Some(key) = ManifestKey::of(&uri) else { continue };
            let Some(step) = pipeline.find(&key.step_name) else { continue };
            let is_lambda = matches!(pipeline.step(step).kind, StepKind::Lambda(_));
            if !is_lambda || execution.step(step).phase != Phase::Waiting {
                continue;
            }
            let found = found.entry(step).or_default();
            found.last_attempt = found.last_attempt.max(key.attempt_count);
            if object != key.uri.key() {
                continue;
            }
            if let ManifestRead::Found(manifest) = self.read_manifest(&key.uri).await? {
                found.manifests.insert(key.attempt_count, (key.uri, *manifest));
            }
        }
        Ok(found)
    }
}
