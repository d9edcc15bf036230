//! The parts of a project, as the template needs to know them.

use std::collections::BTreeMap;

use sidestep_core::definition::Pipeline;
use sidestep_core::name::PipelineName;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::uri::S3Uri;

use crate::bucket::Buckets;
use crate::name::StackName;
use crate::place::Place;

/// A project to deploy.
#[derive(Debug, Clone)]
pub struct Blueprint {
    pub stack: StackName,
    /// By the name that definitions use.
    pub functions: BTreeMap<String, Function>,
    pub pipelines: BTreeMap<PipelineName, PipelineUse>,
    pub buckets: Buckets,
    pub options: Options,
    /// Where the stack will be, if that is known. Its names are then written out.
    pub place: Option<Place>,
}

/// A step function of the stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub code: Code,
    /// True if it is built on the step SDK and reports its results itself.
    pub has_sdk: bool,
    /// True if its handler renews leases and obeys `ExactlyOnceStart`: all functions with a step
    /// SDK, including Python's.
    pub renews_leases: bool,
    /// True if its event has the key `Sidestep` beside the arguments.
    pub gets_key: bool,
    pub memory_mb: u32,
    pub timeout_seconds: u32,
    pub environment: BTreeMap<String, String>,
    /// The objects that it reads besides those that its steps' arguments name.
    pub reads: Vec<S3Uri>,
    /// The objects that it writes besides its steps' own prefixes.
    pub writes: Vec<S3Uri>,
    /// The queues whose messages invoke it.
    pub queues: Vec<Queue>,
}

/// A queue whose messages invoke a function. It exists in the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its ARN, or its name in the stack's account and region.
    pub queue: String,
    pub batch_size: u32,
    pub batching_window_seconds: u32,
    /// True if the function answers with `batchItemFailures`.
    pub reports_failures: bool,
}

/// How Lambda runs a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A binary called `bootstrap`.
    Binary,
    /// A runtime of Lambda's, such as `python3.13`.
    Runtime { runtime: String, handler: String },
}

/// A pipeline and what starts it.
#[derive(Debug, Clone)]
pub struct PipelineUse {
    pub pipeline: Pipeline,
    pub uploads: Vec<Upload>,
    /// Expressions of EventBridge Scheduler, such as `rate(1 day)`.
    pub schedules: Vec<String>,
}

/// Uploads that start a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The bucket's name in the project, see [`Buckets`].
    pub bucket: String,
    pub prefix: String,
    pub suffix: String,
    /// The parameters that take anything of the object. Its content counts for steps that read
    /// them.
    pub parameters: Vec<String>,
    /// The parameters that are set to the URI of the uploaded object.
    pub object_parameters: Vec<String>,
    /// The parameters that are set to the URI of a batch's listing.
    pub listing_parameters: Vec<String>,
}

/// The instruction set that functions are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Architecture {
    #[default]
    Arm64,
    X86_64,
}

impl Architecture {
    /// Returns Lambda's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Arm64, Self::X86_64].into_iter().find(|architecture| architecture.name() == text)
    }
}

/// The user's choices about the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The roads that results of steps take.
    pub handoff: Handoff,
    pub architecture: Architecture,
    /// The number of days that the artifacts of runs are kept.
    pub artifact_days: u32,
    /// The number of days that logs are kept: one of the numbers that CloudWatch takes.
    pub log_days: u32,
    /// The concurrency that is reserved for the planner, which is also its limit.
    pub planner_concurrency: Option<u32>,
    /// True if functions send traces to X-Ray.
    pub xray: bool,
    pub alarms: bool,
    /// The ARN of an SNS topic that alarms are sent to.
    pub alarm_topic: Option<String>,
    /// The name of the event bus that changes of status are sent to.
    pub event_bus: Option<String>,
    /// The ARNs of the keys that the inputs and the places to write to are encrypted with.
    pub kms_keys: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            handoff: Handoff::default(),
            architecture: Architecture::default(),
            artifact_days: 90,
            log_days: 30,
            planner_concurrency: None,
            xray: false,
            alarms: true,
            alarm_topic: None,
            event_bus: None,
            kms_keys: Vec::new(),
        }
    }
}
