//! The contents of `sidestep.toml`: what a definition cannot say.

mod check;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::uri::S3Uri;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) functions: BTreeMap<String, FunctionSettings>,
    #[serde(default)]
    pub(crate) pipelines: BTreeMap<String, PipelineSettings>,
    #[serde(default)]
    pub(crate) engine: EngineSettings,
    /// The stack on AWS.
    #[serde(default)]
    pub(crate) deploy: DeploySettings,
    #[serde(default)]
    pub(crate) serve: ServeSettings,
    /// Files that the embedded cloud puts into its S3.
    #[serde(default)]
    pub(crate) uploads: Vec<UploadSettings>,
}

/// How the engine works for this project.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineSettings {
    /// Which roads a finished step's result takes: `event`, `direct` or `both`.
    #[serde(default)]
    pub(crate) handoff: Handoff,
}

/// The API of `sidestep serve`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServeSettings {
    /// The file of access keys whose signatures are accepted, from the project's folder.
    pub(crate) keys: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionSettings {
    /// A Rust package with one binary, or one of its own name, built by cargo.
    pub(crate) package: Option<String>,
    /// Lambda's identifier, such as `python3.11`.
    pub(crate) runtime: Option<String>,
    /// `module.function`.
    pub(crate) handler: Option<String>,
    /// The folder of the code, from the project's.
    pub(crate) path: Option<PathBuf>,
    #[serde(default = "default_memory_mb")]
    pub(crate) memory_mb: u32,
    #[serde(default = "default_timeout_seconds")]
    pub(crate) timeout_seconds: u32,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// On AWS: what it may read and write besides what its steps' arguments say.
    #[serde(default)]
    pub(crate) reads: Vec<S3Uri>,
    #[serde(default)]
    pub(crate) writes: Vec<S3Uri>,
}

fn default_memory_mb() -> u32 {
    128
}

fn default_timeout_seconds() -> u32 {
    60
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipelineSettings {
    /// The definition's file, from the project's folder.
    pub(crate) definition: PathBuf,
    /// SageMaker's limit of steps that run at a time.
    pub(crate) max_parallel_execution_steps: Option<u32>,
    #[serde(default)]
    pub(crate) triggers: Vec<TriggerSettings>,
}

/// Starts the pipeline when an object is uploaded, or, on AWS, at set times.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriggerSettings {
    /// Empty if there is a schedule.
    #[serde(default)]
    pub(crate) bucket: String,
    /// An expression of EventBridge Scheduler: `rate(1 day)`, `cron(0 6 * * ? *)`.
    pub(crate) schedule: Option<String>,
    #[serde(default)]
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) suffix: String,
    /// One execution for the uploads of so many seconds, instead of one for each.
    pub(crate) batch_seconds: Option<u32>,
    /// Parameters of the execution; `$.uri`, `$.bucket`, `$.key`, `$.name`, `$.stem`, `$.version`, `$.etag` and `$.size` stand for the object's,
    /// `$.listing` and `$.count` for the batch's.
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadSettings {
    /// A file or a folder, from the project's.
    pub(crate) from: PathBuf,
    /// A prefix, `s3://BUCKET/PREFIX/`.
    pub(crate) to: S3Uri,
}

/// What a user may choose about the stack on AWS.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeploySettings {
    /// The stack's name; without it, the name of the project's folder.
    pub(crate) stack: Option<String>,
    /// `arm64` or `x86_64`.
    pub(crate) architecture: Option<String>,
    pub(crate) artifact_days: Option<u32>,
    pub(crate) log_days: Option<u32>,
    pub(crate) planner_concurrency: Option<u32>,
    /// `xray` or `none`.
    pub(crate) tracing: Option<String>,
    pub(crate) alarms: Option<bool>,
    /// The folder of sidestep's own source, from which planner and trigger are built.
    pub(crate) engine_source: Option<PathBuf>,
    /// The ARN of an SNS topic.
    pub(crate) alarm_topic: Option<String>,
    /// Whether changes of status are sent to EventBridge, or to which bus.
    pub(crate) events: Option<Events>,
    /// By the project's name of a bucket: that of one in the account.
    #[serde(default)]
    pub(crate) buckets: BTreeMap<String, String>,
}

/// `true` is the account's default bus.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "`true`, `false` or the name of an event bus")]
pub(crate) enum Events {
    Told(bool),
    Bus(String),
}
