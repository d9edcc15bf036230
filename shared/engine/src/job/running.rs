//! The jobs of an execution that have not ended, as its commits name them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sidestep_core::definition::{StepIndex, StepKind};
use sidestep_core::execution::commit::{Claim, Failure, Revision};
use sidestep_core::execution::invocation::AttemptName;
use sidestep_core::execution::proof::{Proof, Token};
use sidestep_core::execution::{ExecutionStatus, Phase};
use sidestep_core::job::JobType;
use sidestep_core::job::name::execution_ids;
use sidestep_core::job::outcome::deleted;
use sidestep_core::job::refusal::Refusal;
use sidestep_core::job::start::JobCall;
use sidestep_core::limits::LEASE_ATTEMPTS;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::{Event, Report, ReportedResult};
use sidestep_core::uri::S3Uri;
use tracing::{info, warn};

use crate::engine::Engine;
use crate::error::{EngineError, error_chain};
use crate::loaded::Loaded;
use crate::ports::jobs::{Jobs, JobsError};
use crate::sweep::Leases;

/// The service of all jobs, as signatures name it.
pub(super) const SERVICE: &str = "sagemaker";
/// The object below an attempt's prefix that says that its job was made.
pub(super) const MADE_NAME: &str = "made.json";
/// How long to wait between two Describe calls of one look.
const PACE: std::time::Duration = std::time::Duration::from_millis(100);

/// The job of an attempt that has not ended.
#[derive(Debug, Clone)]
pub(crate) struct RunningJob {
    pub(super) loaded: Loaded,
    pub(super) step: StepIndex,
    pub(super) kind: JobType,
    pub(super) name: String,
    pub(super) claim: Claim,
    /// The commit that claimed the step.
    pub(super) revision: Revision,
    pub(super) claimed_at_ms: u64,
}

/// What the service says of a job.
pub(super) enum Described {
    Found(Box<Value>),
    NotFound,
    Failed(Failure),
    /// The service refuses calls for now, or cannot be reached.
    NotNow,
}

impl RunningJob {
    /// Returns the prefix below which the attempt's objects lie.
    pub(super) fn prefix(&self) -> S3Uri {
        let name = &self.loaded.pipeline.step(self.step).name;
        self.loaded.start.attempt_prefix(name, self.claim.attempt_count)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.loaded.execution.status == ExecutionStatus::Stopping
    }

    /// Makes the report of the attempt's end.
    pub(super) fn report(&self, result: ReportedResult) -> Event {
        let start = &self.loaded.start;
        let (id, attempt_count) = (&start.execution_id, self.claim.attempt_count);
        let token = start.secret.token(id, self.step, attempt_count, self.revision);
        let step = self.loaded.pipeline.step(self.step).name.clone();
        Event::Reported(Report { step, attempt_count, proof: Proof::Token(Token(token)), result })
    }
}

impl Engine {
    /// Returns the port to the service of jobs.
    pub(super) fn jobs_port(&self) -> Result<&dyn Jobs, EngineError> {
        self.jobs.as_deref().ok_or(EngineError::NoJobs)
    }

    /// Returns the job that a call is about, if its attempt has not ended.
    pub(super) async fn running_job(
        &self,
        call: &JobCall,
    ) -> Result<Option<RunningJob>, EngineError> {
        let running = self.running_jobs(&call.execution_id).await?;
        Ok(running.into_iter().find(|job| {
            job.loaded.pipeline.step(job.step).name == call.step_name
                && job.claim.attempt_count == call.attempt_count
        }))
    }

    /// Returns the jobs of an execution that have not ended; none if there is no such execution.
    pub(super) async fn running_jobs(
        &self,
        id: &ExecutionId,
    ) -> Result<Vec<RunningJob>, EngineError> {
        let mut loaded = match self.load(id).await {
            Err(EngineError::ExecutionNotFound(_)) => return Ok(Vec::new()),
            result => result?,
        };
        if loaded.start.jobs.is_none() {
            return Ok(Vec::new());
        }
        self.catch_up(&mut loaded).await?;
        let steps: Vec<_> = loaded.pipeline.jobs().collect();
        let executing: Vec<_> = steps
            .iter()
            .map(|(index, job)| (*index, job.step_type, loaded.execution.step(*index)))
            .filter(|(.., state)| state.phase == Phase::Executing)
            .collect();
        let revisions: Vec<_> = executing.iter().map(|(.., state)| state.revision).collect();
        if revisions.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.executions.commits(id, &revisions).await?;
        let commits: BTreeMap<_, _> = found.into_iter().map(|it| (it.revision, it)).collect();
        let running = executing.into_iter().filter_map(|(step, step_type, state)| {
            let commit = commits.get(&state.revision)?;
            let claim = commit.claim(step)?.clone();
            Some(RunningJob {
                loaded: loaded.clone(),
                step,
                kind: JobType::of(step_type)?,
                name: claim.job.clone()?,
                claim,
                revision: state.revision,
                claimed_at_ms: commit.at_ms,
            })
        });
        Ok(running.collect())
    }

    /// Looks at the job with this name, of which the service says that its state has changed. Names
    /// of other parties' jobs lead to no execution.
    pub(super) async fn job_changed(&self, name: &str) -> Result<(), EngineError> {
        for id in execution_ids(name) {
            let running = self.running_jobs(&id).await?;
            if let Some(job) = running.into_iter().find(|job| job.name == name) {
                return self.settle_job(&job, Leases::ByTime).await;
            }
        }
        info!(name, "the event of a job that no step waits for is ignored");
        Ok(())
    }

    /// Looks at all jobs of an execution: their events may be lost.
    pub(crate) async fn look_at_jobs(
        &self,
        id: &ExecutionId,
        leases: Leases,
    ) -> Result<(), EngineError> {
        for (number, job) in self.running_jobs(id).await?.iter().enumerate() {
            if number > 0 && job.loaded.start.jobs.as_ref().is_some_and(|jobs| jobs.pace_ms > 0) {
                self.clock.sleep(PACE).await;
            }
            self.settle_job(job, leases).await?;
        }
        Ok(())
    }

    /// Asks the service for a job.
    pub(super) async fn describe_job(&self, job: &RunningJob) -> Result<Described, EngineError> {
        let body = json!({ job.kind.name_member: job.name });
        let operation = job.kind.describe;
        Ok(match self.jobs_port()?.call(SERVICE, operation, &body).await {
            Ok(answer) => Described::Found(Box::new(answer)),
            Err(JobsError::Refused { refused, .. }) => match refused.meaning(operation) {
                Refusal::NotFound => Described::NotFound,
                Refusal::Throttled | Refusal::InUse => Described::NotNow,
                Refusal::Failed(_) if refused.status >= 500 => Described::NotNow,
                Refusal::Failed(failure) => Described::Failed(failure),
            },
            Err(error @ JobsError::Unavailable { .. }) => {
                warn!(error = error_chain(&error), "the sweep looks at the job again");
                Described::NotNow
            }
        })
    }

    /// Returns what follows from a job that does not exist; nothing as long as it may still be
    /// made.
    pub(super) async fn of_missing(
        &self,
        job: &RunningJob,
        leases: Leases,
    ) -> Result<Option<Event>, EngineError> {
        if self.objects.head(&job.prefix().join(MADE_NAME)).await?.is_some() {
            return Ok(Some(job.report(ReportedResult::Failed(deleted()))));
        }
        let last_attempt = match leases {
            Leases::ByTime if !self.is_lapsed(&job.loaded, job.step, &job.claim).await? => {
                return Ok(None);
            }
            Leases::ByTime => LEASE_ATTEMPTS,
            // The call died with its host, which says nothing about the step.
            Leases::All => u32::MAX,
        };
        let step = job.loaded.pipeline.step(job.step).name.clone();
        Ok(Some(Event::AttemptLost { step, last_attempt }))
    }

    /// Invokes the job function for an attempt.
    pub(crate) async fn invoke_job_function(
        &self,
        function_arn: &str,
        attempt: &AttemptName,
        event: &Value,
    ) -> Result<(), EngineError> {
        self.functions.invoke(function_arn, event, attempt).await?;
        Ok(())
    }
}

/// Returns true if a step is a job.
pub(super) fn is_job(loaded: &Loaded, step: StepIndex) -> bool {
    matches!(loaded.pipeline.step(step).kind, StepKind::Job(_))
}
