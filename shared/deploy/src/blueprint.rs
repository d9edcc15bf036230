//! What a project has, as the template needs to know it.

use std::collections::BTreeMap;

use sidestep_core::definition::Pipeline;
use sidestep_core::name::PipelineName;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::uri::S3Uri;

use crate::bucket::Buckets;
use crate::name::StackName;

/// A project to deploy.
#[derive(Debug, Clone)]
pub struct Blueprint {
    pub stack: StackName,
    /// By the name that definitions use.
    pub functions: BTreeMap<String, Function>,
    pub pipelines: BTreeMap<PipelineName, PipelineUse>,
    pub buckets: Buckets,
    pub options: Options,
}

/// A step function that the stack has.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub code: Code,
    /// Whether it is built on the step SDK, and reports its results itself.
    pub has_sdk: bool,
    /// Whether its handler renews leases and heeds `ExactlyOnceStart`: those with a step SDK, in Python too.
    pub renews_leases: bool,
    pub memory_mb: u32,
    pub timeout_seconds: u32,
    pub environment: BTreeMap<String, String>,
    /// What it reads besides what its steps' arguments name.
    pub reads: Vec<S3Uri>,
    /// What it writes besides its steps' own prefixes.
    pub writes: Vec<S3Uri>,
}

/// How a function is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A binary called `bootstrap`.
    Binary,
    /// A runtime of Lambda's, `python3.13` say.
    Runtime { runtime: String, handler: String },
}

/// A pipeline and what starts it.
#[derive(Debug, Clone)]
pub struct PipelineUse {
    pub pipeline: Pipeline,
    pub uploads: Vec<Upload>,
    /// Expressions of EventBridge Scheduler, `rate(1 day)` say.
    pub schedules: Vec<String>,
}

/// Uploads that start a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// As the project calls it, see [`Buckets`].
    pub bucket: String,
    pub prefix: String,
    pub suffix: String,
    /// Parameters whose value names the uploaded object.
    pub object_parameters: Vec<String>,
    /// Parameters that are fed with the URI of a batch's listing.
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
    /// Lambda's word for it.
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

/// What a user may choose about the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Which roads the results of steps take.
    pub handoff: Handoff,
    pub architecture: Architecture,
    /// Days that the artifacts of runs are kept.
    pub artifact_days: u32,
    /// Days that logs are kept; one of the numbers that CloudWatch takes.
    pub log_days: u32,
    /// Concurrency that is reserved for the planner, and its bound.
    pub planner_concurrency: Option<u32>,
    /// Whether functions send traces to X-Ray.
    pub xray: bool,
    pub alarms: bool,
    /// The ARN of an SNS topic that alarms are sent to.
    pub alarm_topic: Option<String>,
    /// The name of the event bus that changes of status are sent to.
    pub event_bus: Option<String>,
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
        }
    }
}
