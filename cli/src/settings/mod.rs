//! The contents of `sidestep.toml`: what a definition cannot say.

mod check;
mod environment;
mod jobs;
mod queues;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Deserialize;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::uri::S3Uri;

pub(crate) use jobs::{JobSettings, Packages};
pub(crate) use queues::QueueSettings;

#[derive(Debug, Clone, Default, Deserialize)]
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
    /// What stands in for container images when jobs run on this machine, by a pattern of images.
    #[serde(default)]
    pub(crate) jobs: BTreeMap<String, JobSettings>,
    /// Files that the embedded cloud puts into its S3.
    #[serde(default)]
    pub(crate) uploads: Vec<UploadSettings>,
}

/// `[engine]`: how the engine works for this project.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineSettings {
    /// How a finished step's result reaches the planner: `event`, `direct` or `both`.
    #[serde(default)]
    pub(crate) handoff: Handoff,
    /// How many functions run at one time on this machine [default: 4 per CPU].
    pub(crate) max_parallel: Option<NonZeroUsize>,
    /// What happens on this machine to a request that a role on AWS would not allow.
    #[serde(default)]
    pub(crate) rights: RightsSettings,
}

/// `rights` of `[engine]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RightsSettings {
    /// It is refused, as on AWS.
    Enforce,
    /// It is done, and the user is told.
    #[default]
    Warn,
    /// It is done.
    Off,
}

/// `[serve]`: the API of `sidestep serve`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServeSettings {
    /// File of the access keys whose signatures are accepted, relative to the project's folder.
    pub(crate) keys: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionSettings {
    /// A Rust package with one binary, or with a binary of its own name.
    pub(crate) package: Option<String>,
    /// Lambda's identifier, such as `python3.13`.
    pub(crate) runtime: Option<String>,
    /// `module.function`.
    pub(crate) handler: Option<String>,
    /// The folder of the code, relative to the project's.
    pub(crate) path: Option<PathBuf>,
    #[serde(default = "default_memory_mb")]
    pub(crate) memory_mb: u32,
    #[serde(default = "default_timeout_seconds")]
    pub(crate) timeout_seconds: u32,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// Whether a run goes on without the function if it cannot be built or installed here.
    #[serde(default)]
    pub(crate) optional: bool,
    /// The form of its event [default: `sidestep` if its code names the key, else `plain`].
    pub(crate) event: Option<EventForm>,
    /// What it reaches on this machine.
    #[serde(default)]
    pub(crate) network: NetworkSettings,
    /// The queues whose messages invoke it.
    #[serde(default)]
    pub(crate) queues: Vec<QueueSettings>,
    /// What the function may read on AWS, besides what its steps' arguments name.
    #[serde(default)]
    pub(crate) reads: Vec<S3Uri>,
    /// What the function may write on AWS, besides what its steps' arguments name.
    #[serde(default)]
    pub(crate) writes: Vec<S3Uri>,
}

/// `event` of `[functions.NAME]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EventForm {
    /// The step's arguments and nothing else.
    Plain,
    /// The arguments and the key `Sidestep`.
    Sidestep,
}

/// `network` of `[functions.NAME]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NetworkSettings {
    /// The embedded services only.
    #[default]
    Embedded,
    /// Also AWS, with the user's profile, region and proxy.
    Aws,
}

fn default_memory_mb() -> u32 {
    128
}

fn default_timeout_seconds() -> u32 {
    60
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipelineSettings {
    /// The definition's file, relative to the project's folder.
    pub(crate) definition: PathBuf,
    /// SageMaker's limit on steps that run at the same time.
    pub(crate) max_parallel_execution_steps: Option<u32>,
    #[serde(default)]
    pub(crate) triggers: Vec<TriggerSettings>,
}

/// A trigger: starts the pipeline when an object is uploaded, or at set times.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriggerSettings {
    /// The bucket of the uploads; empty if there is a schedule.
    #[serde(default)]
    pub(crate) bucket: String,
    /// An expression of EventBridge Scheduler: `rate(1 day)`, `cron(0 6 * * ? *)`.
    pub(crate) schedule: Option<String>,
    #[serde(default)]
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) suffix: String,
    /// Starts one execution for all uploads of this many seconds, instead of one for each.
    pub(crate) batch_seconds: Option<u32>,
    /// Parameters of the execution. `$.uri`, `$.bucket`, `$.key`, `$.name`, `$.stem`, `$.version`,
    /// `$.etag` and `$.size` are replaced by properties of the object, `$.listing` and `$.count` by
    /// those of the batch.
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadSettings {
    /// A file or a folder, relative to the project's folder.
    pub(crate) from: PathBuf,
    /// A prefix, `s3://BUCKET/PREFIX/`.
    pub(crate) to: S3Uri,
}

/// `[deploy]`: the user's choices for the stack on AWS.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeploySettings {
    /// The stack's name [default: made from the name of the project's folder].
    pub(crate) stack: Option<String>,
    /// `arm64` or `x86_64`.
    pub(crate) architecture: Option<String>,
    pub(crate) artifact_days: Option<u32>,
    pub(crate) log_days: Option<u32>,
    pub(crate) planner_concurrency: Option<u32>,
    /// `xray` or `none`.
    pub(crate) tracing: Option<String>,
    pub(crate) alarms: Option<bool>,
    /// The folder of sidestep's source, from which planner and trigger are built.
    pub(crate) engine_source: Option<PathBuf>,
    /// The ARN of an SNS topic.
    pub(crate) alarm_topic: Option<String>,
    /// The event bus that changes of status are sent to.
    pub(crate) events: Option<Events>,
    /// The ARNs of keys of KMS, with which buckets are encrypted that functions read or write.
    #[serde(default)]
    pub(crate) kms_keys: Vec<String>,
    /// Existing buckets of the account, by the project's name for each.
    #[serde(default)]
    pub(crate) buckets: BTreeMap<String, String>,
}

/// An event bus: none, the account's default one (`true`), or one by its name.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "`true`, `false` or the name of an event bus")]
pub(crate) enum Events {
    Told(bool),
    Bus(String),
}
