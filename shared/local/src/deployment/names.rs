//! The names of a local deployment's resources.

use crate::account::{ACCOUNT_ID, REGION};

/// The bucket of manifests, artifacts and definitions.
pub const ARTIFACT_BUCKET: &str = "sidestep-artifacts";
/// The deployment's only table.
pub const TABLE: &str = "sidestep";
/// The queue that wakes the planner at a given time.
pub const TIMERS: &str = "sidestep-timers";
/// The timer queue's URL. The embedded SQS finds a queue by the last part of its URL.
pub(super) const TIMERS_URL: &str = "http://127.0.0.1/000000000000/sidestep-timers";
/// The queue in which steps leave their results for the planner.
pub const REPORTS: &str = "sidestep-reports";
/// The report queue's URL.
pub(super) const REPORTS_URL: &str = "http://127.0.0.1/000000000000/sidestep-reports";
/// The planner's function.
pub const PLANNER: &str = "sidestep-planner";
/// The trigger's function.
pub const TRIGGER: &str = "sidestep-trigger";

/// The function that makes jobs.
pub const JOB: &str = "sidestep-job";

/// Returns the ARN of a function of the embedded cloud.
pub(super) fn function_arn(function: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{function}")
}
