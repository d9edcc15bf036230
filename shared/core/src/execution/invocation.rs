//! Invocations: what a step function is told beside its arguments, under the event's reserved key
//! `Sidestep`.

use serde::{Deserialize, Serialize};

use crate::name::{ExecutionId, PipelineName, StepName};
use crate::uri::S3Uri;

/// The reserved key of the event, beside the step's resolved `Arguments`.
pub const RESERVED_KEY: &str = "Sidestep";

/// The key below [`RESERVED_KEY`] in the answer of a function that committed its result itself.
pub const COMMITTED: &str = "Committed";

/// The key below [`RESERVED_KEY`] in the answer of a function that left its result in the planner's
/// queue.
pub const REPORTED: &str = "Reported";

/// The key below [`RESERVED_KEY`] in that answer for what the commit asked of the services, where
/// that is counted.
pub const USAGE: &str = "Usage";

/// The name of the object whose creation is a step's report.
pub const MANIFEST_NAME: &str = "manifest.json";

/// The value of [`RESERVED_KEY`] in the event of a step function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Invocation {
    pub execution_id: ExecutionId,
    pub pipeline_name: PipelineName,
    pub step_name: StepName,
    /// 1 for the first try.
    pub attempt_count: u32,
    /// The place where this attempt may write: `s3://BUCKET/runs/PIPELINE/EXECUTION/STEP/ATTEMPT/`.
    pub output_prefix: S3Uri,
    /// Proves that a report comes from this attempt. Never logged.
    pub token: String,
    /// The time at which the attempt must have ended, in milliseconds since 1970.
    pub deadline_ms: u64,
    /// If true, only one run of this attempt may begin.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exactly_once_start: bool,
}
