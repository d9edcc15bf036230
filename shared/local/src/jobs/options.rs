//! The options of the jobs service.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::s3::S3Server;

/// Hears of jobs that end. Called on a thread that must not block.
///
/// A job's end may be told twice, and never if this process dies first.
pub type JobListener = Arc<dyn Fn(Value) + Send + Sync>;

/// How long a process may take to end after SIGTERM, as on SageMaker.
const GRACE: Duration = Duration::from_mins(2);

/// The options of the jobs service.
#[derive(Clone)]
pub(crate) struct JobsOptions {
    /// The state folder.
    pub(crate) state: PathBuf,
    /// Where jobs read their inputs and write their outputs.
    pub(crate) s3: S3Server,
    /// The variables by which a job reaches the embedded cloud.
    pub(crate) variables: BTreeMap<String, String>,
    /// How many jobs run at one time.
    pub(crate) parallel: usize,
    /// How long a process may take to end after SIGTERM.
    pub(crate) grace: Duration,
    /// False keeps jobs from getting `/opt/ml` by mounts.
    pub(crate) may_mount: bool,
}

impl fmt::Debug for JobsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobsOptions").field("state", &self.state).finish_non_exhaustive()
    }
}

impl JobsOptions {
    /// Returns the options with a job for each core.
    pub(crate) fn new(state: PathBuf, s3: S3Server, variables: BTreeMap<String, String>) -> Self {
        let parallel = std::thread::available_parallelism().map_or(1, usize::from);
        Self { state, s3, variables, parallel, grace: GRACE, may_mount: true }
    }
}
