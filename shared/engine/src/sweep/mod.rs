//! The sweep: looks after executions whose messages were lost.

mod lease;
pub mod repair;

use std::collections::BTreeMap;

use sidestep_core::definition::{StepIndex, StepKind};
use sidestep_core::execution::commit::{AttemptResult, Claim, Failure};
use sidestep_core::execution::invocation::MANIFEST_NAME;
use sidestep_core::execution::proof::{Proof, Token};
use sidestep_core::execution::{ExecutionStatus, Phase};
use sidestep_core::failure::FailureType;
use sidestep_core::limits::{LEASE_ATTEMPTS, MANIFEST_BYTES};
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::{Event, Report, ReportedResult};
use tracing::warn;

use crate::engine::Engine;
use crate::error::{EngineError, error_chain};
use crate::loaded::Loaded;
use crate::memory::manifest::ManifestRead;

/// How long a planner may take from its commit to the message of a Callback step, including the
/// difference of the clocks.
const SENDING_MS: u64 = 300_000;

/// The leases that count as lapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leases {
    /// Those whose time is over.
    ByTime,
    /// All of them, because the host of all attempts is dead.
    All,
}

/// An attempt that has not ended.
struct Attempt<'a> {
    step: StepIndex,
    claim: &'a Claim,
    claimed_at_ms: u64,
}

impl Engine {
    /// Looks after every execution that has not ended, and returns them.
    ///
    /// If one cannot be advanced, it is logged and left for the next sweep, so that the others do
    /// not wait.
    pub async fn sweep(&self, leases: Leases) -> Result<Vec<ExecutionId>, EngineError> {
        let live = self.executions.live().await?;
        for id in &live {
            if let Err(error) = self.resume(id, leases).await {
                let error = error_chain(&error);
                warn!(execution_id = %id, error, "the sweep could not advance the execution");
            }
        }
        // Last, because there may be much to start.
        if let Err(error) = self.sweep_windows().await {
            warn!(error = error_chain(&error), "the sweep could not read the windows");
        }
        Ok(live)
    }

    /// Looks after one execution: reports results whose event was lost, and begins new attempts for
    /// lost ones.
    pub async fn resume(&self, id: &ExecutionId, leases: Leases) -> Result<(), EngineError> {
        let mut loaded = self.load(id).await?;
        self.catch_up(&mut loaded).await?;
        let indexes = loaded.pipeline.indexes();
        let executing: Vec<_> = indexes
            .filter(|index| loaded.execution.step(*index).phase == Phase::Executing)
            .collect();
        let revisions: Vec<_> =
            executing.iter().map(|index| loaded.execution.step(*index).revision).collect();
        let found = self.executions.commits(id, &revisions).await?;
        let commits: BTreeMap<_, _> = found.into_iter().map(|c| (c.revision, c)).collect();
        let mut events = Vec::new();
        if let Err(error) = self.ask_for_look(&loaded, &executing, leases).await {
            let error = error_chain(&error);
            warn!(execution_id = %id, error, "the jobs of the execution are not looked at");
        }
        for index in executing {
            // What became of a job is asked for by its name.
            if matches!(loaded.pipeline.step(index).kind, StepKind::Job(_)) {
                continue;
            }
            if let Some(commit) = commits.get(&loaded.execution.step(index).revision)
                && let Some(claim) = commit.claim(index)
            {
                let attempt = Attempt { step: index, claim, claimed_at_ms: commit.at_ms };
                events.extend(self.lost_event(&loaded, &attempt, leases).await?);
            }
        }
        if loaded.execution.status.is_over() && self.executions.is_retry_asked(id).await? {
            events.push(Event::RetryRequested);
        }
        // Time-outs and delays whose call was lost.
        events.push(Event::Woken);
        self.memory.forget_head(id);
        let status = self.advance(id, events).await?;
        if leases == Leases::All && !status.is_over() {
            self.wake_again(id).await?;
        }
        Ok(())
    }

    /// Returns the event of an executing attempt that was lost, or whose report was. Returns `None`
    /// if the attempt may still run.
    async fn lost_event(
        &self,
        loaded: &Loaded,
        attempt: &Attempt<'_>,
        leases: Leases,
    ) -> Result<Option<Event>, EngineError> {
        let Attempt { step, claim, claimed_at_ms } = *attempt;
        let last_attempt = match leases {
            Leases::ByTime => LEASE_ATTEMPTS,
            // A host that dies says nothing about the step.
            Leases::All => u32::MAX,
        };
        let lost =
            || Event::AttemptLost { step: loaded.pipeline.step(step).name.clone(), last_attempt };
        // The receiver of a callback's message does not die with a host, but it has to get the
        // message.
        if let Some(token) = &claim.callback_token {
            let is_old = claimed_at_ms + SENDING_MS < self.clock.now_ms();
            let is_lost = (leases == Leases::All || is_old) && self.is_unsent(token).await?;
            return Ok(is_lost.then(lost));
        }
        if let Some(report) = self.unheard(loaded, step, claim).await? {
            return Ok(Some(Event::Reported(report)));
        }
        if leases == Leases::ByTime && !self.is_lapsed(loaded, step, claim).await? {
            return Ok(None);
        }
        // A stopping execution begins no attempt, so neither its code nor what it did matters.
        let failure = match loaded.execution.status {
            ExecutionStatus::Stopping => None,
            _ => match self.changed_code(loaded, step).await? {
                Some(changed) => Some(changed),
                None => self.begun_once(loaded, step, claim.attempt_count).await?,
            },
        };
        Ok(Some(failure.map_or_else(lost, |failure| {
            Event::Reported(failure_report(loaded, step, claim.attempt_count, failure))
        })))
    }

    /// Asks again for the calls that the planner waits for, because they may have died with a host.
    /// A second call finds nothing due.
    async fn wake_again(&self, id: &ExecutionId) -> Result<(), EngineError> {
        let loaded = self.load(id).await?;
        let steps: Vec<_> = loaded
            .pipeline
            .indexes()
            .map(|index| (index, loaded.execution.step(index)))
            .filter(|(_, state)| matches!(state.phase, Phase::Executing | Phase::Retrying))
            .collect();
        let revisions: Vec<_> = steps.iter().map(|(_, state)| state.revision).collect();
        let commits = self.executions.commits(id, &revisions).await?;
        for (index, state) in steps {
            let commit = commits.iter().find(|commit| commit.revision == state.revision);
            let Some(commit) = commit else { continue };
            let retried =
                commit.completion(index).and_then(|completion| match &completion.result {
                    AttemptResult::Retried(retried) => Some(retried.at_ms),
                    _ => None,
                });
            let deadline_ms = commit.claim(index).and_then(|claim| claim.deadline_ms);
            if let Some(at_ms) = retried.or(deadline_ms) {
                self.queues.wake(id, at_ms, self.clock.now_ms()).await?;
            }
        }
        Ok(())
    }

    /// Returns true if the message of a Callback step may not have been sent.
    async fn is_unsent(&self, token: &str) -> Result<bool, EngineError> {
        let record = self.executions.callback(token).await?;
        Ok(record.is_some_and(|record| record.is_unsent))
    }

    /// Returns the report of an attempt that wrote its manifest, but whose event was lost.
    ///
    /// A manifest that is too large fails the attempt: it would never be read, and the attempt
    /// would be tried again and again.
    async fn unheard(
        &self,
        loaded: &Loaded,
        step: StepIndex,
        claim: &Claim,
    ) -> Result<Option<Report>, EngineError> {
        let name = &loaded.pipeline.step(step).name;
        let uri = loaded.start.attempt_prefix(name, claim.attempt_count).join(MANIFEST_NAME);
        match self.read_manifest(&uri).await? {
            ManifestRead::Found(manifest) => {
                let (step, attempt_count) = (name.clone(), claim.attempt_count);
                Ok(Some(Report::of_manifest(step, attempt_count, *manifest, Some(uri))))
            }
            ManifestRead::TooLarge(bytes) => {
                let message = format!(
                    "the manifest has {bytes} bytes, over the limit of {MANIFEST_BYTES}: return \
                     smaller outputs or write fewer artifacts"
                );
                let failure = Failure::new(FailureType::OutputTooLarge, message);
                Ok(Some(failure_report(loaded, step, claim.attempt_count, failure)))
            }
            ManifestRead::Newer(version) => {
                warn!(%uri, version, "the manifest is from a newer version and is ignored");
                Ok(None)
            }
            ManifestRead::Gone | ManifestRead::Unreadable(_) => Ok(None),
        }
    }

    /// Returns a failure if the version of the step's function is gone. An execution never sees new
    /// code.
    async fn changed_code(
        &self,
        loaded: &Loaded,
        step: StepIndex,
    ) -> Result<Option<Failure>, EngineError> {
        let definition = loaded.pipeline.step(step);
        let StepKind::Lambda(lambda) = &definition.kind else {
            return Ok(None);
        };
        let Some(pinned) = loaded.start.functions.get(&lambda.function_arn) else {
            return Ok(None);
        };
        let now = self.functions.describe(&pinned.invoke_arn).await?;
        let is_same = now.is_some_and(|now| now.code_digest == pinned.code_digest);
        Ok((!is_same).then(|| {
            let function = &lambda.function_arn;
            let message = format!(
                "attempt was lost, and the version of function `{function}` that this execution \
                 uses is gone"
            );
            Failure::new(FailureType::CodeChanged, message)
        }))
    }
}

/// Makes the report of an attempt's failure, with the token that the attempt was given.
fn failure_report(
    loaded: &Loaded,
    step: StepIndex,
    attempt_count: u32,
    failure: Failure,
) -> Report {
    let id = &loaded.start.execution_id;
    let revision = loaded.execution.step(step).revision;
    let token = loaded.start.secret.token(id, step, attempt_count, revision);
    let (proof, result) = (Proof::Token(Token(token)), ReportedResult::Failed(failure));
    Report { step: loaded.pipeline.step(step).name.clone(), attempt_count, proof, result }
}
