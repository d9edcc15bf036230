//! Handles the events of the planner function.

use serde_json::{Value, json};
use sidestep_core::event::destination::{InvocationEnd, Of};
use sidestep_core::event::{PlannerEvent, planner_events};
use sidestep_core::execution::invocation::{AttemptName, ManifestKey};
use sidestep_core::execution::manifest;
use sidestep_core::execution::proof::{Proof, Token};
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::{Event, Report, ReportedResult};
use tracing::{Instrument, info, info_span, warn};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::handle::probe::is_probe;
use crate::handle::request::Matched;
use crate::memory::manifest::ManifestRead;
use crate::sweep::Leases;

impl Engine {
    /// Handles one event of the planner function.
    ///
    /// Unknown events are logged and dropped. After an error, the event should be delivered again.
    pub async fn handle(&self, event: Value) -> Result<Value, EngineError> {
        let mut advanced = 0;
        for event in planner_events(&event) {
            match event {
                PlannerEvent::Ignored(reason) => info!(reason, "event ignored"),
                PlannerEvent::Sweep => advanced += self.sweep(Leases::ByTime).await?.len(),
                PlannerEvent::Wake { execution_id, at_ms } => {
                    self.woken(&execution_id, at_ms).await?;
                    advanced += 1;
                }
                PlannerEvent::Job(call) => self.forward_job(*call).await?,
                PlannerEvent::WindowEnded(id) => self.window_ended(&id).await?,
                PlannerEvent::CommittedDirectly(execution_id) => {
                    self.on_direct_commit(&execution_id).await?;
                    advanced += 1;
                }
                PlannerEvent::ManifestCreated(key) => {
                    let span = info_span!("manifest", execution_id = %key.execution_id,
                        step_name = %key.step_name, attempt_count = key.attempt_count);
                    self.manifest_created(key).instrument(span).await?;
                    advanced += 1;
                }
                PlannerEvent::Reported { attempt, manifest } => {
                    let AttemptName { execution_id: id, step_name, attempt_count } = attempt;
                    let span = info_span!("report", execution_id = %id, %step_name, attempt_count);
                    if manifest.version > manifest::VERSION {
                        let version = manifest.version;
                        warn!(version, "a result of a newer version is ignored");
                        continue;
                    }
                    let report = Report::of_manifest(step_name, attempt_count, manifest, None);
                    self.reported(&id, report).instrument(span).await?;
                    advanced += 1;
                }
                PlannerEvent::Ended(InvocationEnd { of: Of::Event(invocation), result }) => {
                    let span = info_span!("ended", execution_id = %invocation.execution_id,
                        step_name = %invocation.step_name, attempt_count = invocation.attempt_count);
                    let result = match result {
                        Ok(returned) => ReportedResult::Returned(returned),
                        Err(failure) => ReportedResult::Failed(failure),
                    };
                    let AttemptName { execution_id: id, step_name: step, attempt_count } =
                        invocation.attempt();
                    let proof = Proof::Token(Token(invocation.token));
                    let report = Report { step, attempt_count, proof, result };
                    self.reported(&id, report).instrument(span).await?;
                    advanced += 1;
                }
                PlannerEvent::Ended(InvocationEnd { of: Of::Request(request), result }) => {
                    let span = info_span!("ended", request_id = request.id);
                    let matched = self.ended_by_request(*request, result).instrument(span).await?;
                    if let Matched::Own(event) = matched {
                        Box::pin(self.handle(event)).await?;
                    }
                    advanced += 1;
                }
            }
        }
        Ok(json!({ "Advanced": advanced }))
    }

    /// Wakes an execution at `at_ms`. A queue delays by 15 minutes at most, so an early call is
    /// sent on.
    async fn woken(&self, id: &ExecutionId, at_ms: u64) -> Result<(), EngineError> {
        let now_ms = self.clock.now_ms();
        if at_ms > now_ms {
            self.queues.wake(id, at_ms, now_ms).await?;
            return Ok(());
        }
        match self.wake(id).await {
            Err(EngineError::ExecutionNotFound(_)) => {
                warn!(execution_id = %id, "a call about an unknown execution is ignored");
                Ok(())
            }
            result => result.map(drop),
        }
    }

    /// Reports the attempt whose manifest was created.
    async fn manifest_created(&self, key: ManifestKey) -> Result<(), EngineError> {
        if key.uri.bucket() != self.deployment.artifact_bucket {
            warn!(bucket = key.uri.bucket(), "a manifest outside the artifact bucket is ignored");
            return Ok(());
        }
        if is_probe(&key) {
            return self.probe_heard(&key).await;
        }
        let manifest = match self.read_manifest(&key.uri).await? {
            ManifestRead::Found(manifest) => *manifest,
            ManifestRead::Gone => {
                warn!("the manifest is gone");
                return Ok(());
            }
            ManifestRead::Unreadable(error) => {
                warn!(error, "the manifest cannot be read and is ignored");
                return Ok(());
            }
            ManifestRead::Newer(version) => {
                warn!(version, "the manifest is from a newer version and is ignored");
                return Ok(());
            }
            // The manifest's own proof cannot be read. The sweep judges the attempt by its claim.
            ManifestRead::TooLarge(bytes) => {
                warn!(bytes, "the manifest is too large");
                return self.resume(&key.execution_id, Leases::ByTime).await;
            }
        };
        let ManifestKey { uri, execution_id, step_name, attempt_count, .. } = key;
        let report = Report::of_manifest(step_name, attempt_count, manifest, Some(uri));
        self.reported(&execution_id, report).await
    }

    /// Applies a report to its execution.
    pub(super) async fn reported(
        &self,
        id: &ExecutionId,
        report: Report,
    ) -> Result<(), EngineError> {
        match self.advance(id, vec![Event::Reported(report)]).await {
            Err(EngineError::ExecutionNotFound(_)) => {
                warn!("the report of an unknown execution is ignored");
                Ok(())
            }
            result => result.map(drop),
        }
    }
}
