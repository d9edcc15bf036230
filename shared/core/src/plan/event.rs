//! Events: what can happen to an execution from outside. They name their step, so that a sender
//! needs no pipeline; `plan()` resolves the names.

use serde_json::{Map, Value};

use crate::execution::commit::Failure;
use crate::execution::manifest::{Artifact, Manifest};
use crate::execution::proof::Proof;
use crate::name::StepName;
use crate::uri::S3Uri;

/// Something that happened to an execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An attempt ended, or says so.
    Reported(Report),
    /// A step's attempt counts as lost: its lease lapsed, or its host is known to be dead. A new
    /// attempt begins, unless the lost one was the `last_attempt`.
    AttemptLost { step: StepName, last_attempt: u32 },
    /// The user asks that nothing new starts.
    StopRequested,
    /// The user asks to resume an execution that failed or was stopped.
    RetryRequested,
    /// Time has passed: an attempt's `TimeoutSeconds` or the delay before the next one may be over.
    Woken,
}

/// The end of an attempt, as reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub step: StepName,
    pub attempt_count: u32,
    pub proof: Proof,
    pub result: ReportedResult,
}

impl Report {
    /// Returns the report that `manifest` is. `uri` is its object, if it was written to S3.
    pub fn of_manifest(
        step: StepName,
        attempt_count: u32,
        manifest: Manifest,
        uri: Option<S3Uri>,
    ) -> Self {
        let proof = manifest.proof();
        let result = ReportedResult::Succeeded {
            outputs: manifest.outputs,
            artifacts: manifest.artifacts,
            duration_ms: Some(manifest.duration_ms),
            manifest: uri,
        };
        Self { step, attempt_count, proof, result }
    }
}

/// The result that an attempt claims to have.
#[derive(Debug, Clone, PartialEq)]
pub enum ReportedResult {
    Succeeded {
        outputs: Map<String, Value>,
        artifacts: Vec<Artifact>,
        /// Absent when only the platform reports: then the time since the claim counts.
        duration_ms: Option<u64>,
        /// The manifest that holds the outputs, if the function wrote one.
        manifest: Option<S3Uri>,
    },
    /// The function returned this, says Lambda. The step's declared outputs decide what it means.
    Returned(Value),
    Failed(Failure),
    /// A request stopped the attempt's job. That is a failure unless the execution stops.
    Stopped(Failure),
}
