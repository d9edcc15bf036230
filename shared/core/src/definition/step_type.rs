//! The step types: one row each says which keys a type takes and what it can have.
//!
//! SageMaker knows more types than sidestep can run. All of them are parsed, so that a definition
//! can be checked as a whole; those that cannot run are refused at the start.
//! CONTRIBUTING lists the files that a new type touches.

use std::fmt;
use std::iter::once;

use serde::{Serialize, Serializer};

use crate::definition::condition::Condition;
use crate::definition::expression::Expression;
use crate::definition::function_ref::FunctionRef;
use crate::definition::output::OutputParameter;
use crate::definition::queue_url::QueueUrl;

pub use crate::definition::step_rules::{Caching, StepRules};

const LAMBDA: StepRules = StepRules {
    own_keys: &[
        "FunctionArn",
        "OutputParameters",
        "CacheConfig",
        "RetryPolicies",
        "TimeoutSeconds",
        "CodeVersion",
        "ExactlyOnceStart",
        "Reads",
    ],
    is_open: false,
    is_runnable: true,
    has_outputs: true,
    has_retries: true,
    has_timeout: true,
    has_on_failure: true,
    caching: Caching::OwnOrDefault,
};
const CALLBACK: StepRules = StepRules {
    own_keys: &[
        "SqsQueueUrl",
        "OutputParameters",
        "CacheConfig",
        "RetryPolicies",
        "TimeoutSeconds",
    ],
    caching: Caching::NoEffect,
    ..LAMBDA
};
const CONDITION: StepRules = StepRules {
    own_keys: &[],
    is_open: false,
    is_runnable: true,
    has_outputs: false,
    has_retries: false,
    has_timeout: false,
    has_on_failure: true,
    caching: Caching::Refused,
};
const FAIL: StepRules = StepRules { has_on_failure: false, ..CONDITION };
const JOB: StepRules = StepRules {
    own_keys: &["CacheConfig", "RetryPolicies", "PropertyFiles"],
    is_open: true,
    is_runnable: false,
    has_outputs: false,
    has_retries: true,
    has_timeout: false,
    has_on_failure: true,
    caching: Caching::Own,
};
/// A job whose row is in [`crate::job::kind`].
const RUN_JOB: StepRules = StepRules { is_runnable: true, ..JOB };

impl StepRules {
    /// The rules for a type that SageMaker does not have. It is reported, and the rest is read.
    pub const UNKNOWN: Self = JOB;
}

macro_rules! step_types {
    ($($variant:ident = $name:literal: $rules:ident,)*) => {
        /// `Type` of a step.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum StepType { $($variant,)* }

        impl StepType {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the name as it stands in the definition.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the keys and features of the type.
            pub const fn rules(self) -> StepRules {
                match self { $(Self::$variant => $rules,)* }
            }
        }
    };
}

step_types! {
    Lambda = "Lambda": LAMBDA,
    Condition = "Condition": CONDITION,
    Fail = "Fail": FAIL,
    Callback = "Callback": CALLBACK,
    // SageMaker's other types, of its SDK and its service model [reference, section 2].
    Processing = "Processing": RUN_JOB,
    Training = "Training": RUN_JOB,
    Tuning = "Tuning": JOB,
    AutoMl = "AutoML": JOB,
    Transform = "Transform": JOB,
    Model = "Model": JOB,
    RegisterModel = "RegisterModel": JOB,
    QualityCheck = "QualityCheck": JOB,
    ClarifyCheck = "ClarifyCheck": JOB,
    Emr = "EMR": JOB,
    EmrServerless = "EMRServerless": JOB,
    EndpointConfig = "EndpointConfig": JOB,
    Endpoint = "Endpoint": JOB,
    InferenceComponent = "InferenceComponent": JOB,
    Lineage = "Lineage": JOB,
    ForEach = "ForEach": JOB,
    Cleanup = "Cleanup": JOB,
    Athena = "Athena": JOB,
    Job = "Job": JOB,
    HubContent = "HubContent": JOB,
    BedrockCustomModel = "BedrockCustomModel": JOB,
    BedrockCustomModelDeployment = "BedrockCustomModelDeployment": JOB,
    BedrockProvisionedModelThroughput = "BedrockProvisionedModelThroughput": JOB,
    BedrockModelImport = "BedrockModelImport": JOB,
}

impl StepType {
    /// Reads a type, or returns `None` for one that SageMaker does not have.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|step_type| step_type.name() == text)
    }

    /// Returns true if this version can execute steps of the type.
    pub fn is_runnable(self) -> bool {
        self.rules().is_runnable
    }
}

impl fmt::Display for StepType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for StepType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The work of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    Lambda(LambdaStep),
    Callback(CallbackStep),
    Condition {
        conditions: Vec<Condition>,
    },
    Fail {
        message: Expression,
    },
    /// A type whose work SageMaker does. Some of them cannot run yet.
    Job(JobStep),
}

/// Asks SageMaker for a job, or for a resource, by `arguments`.
#[derive(Debug, Clone, PartialEq)]
pub struct JobStep {
    pub step_type: StepType,
    /// The request's members.
    pub arguments: Expression,
    pub property_files: Vec<PropertyFile>,
}

/// A JSON file that a Processing step leaves below one of its outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyFile {
    pub name: String,
    pub output: String,
    pub path: String,
}

/// Invokes a Lambda function with `arguments` as its event.
#[derive(Debug, Clone, PartialEq)]
pub struct LambdaStep {
    pub function_arn: FunctionRef,
    /// Always an object.
    pub arguments: Expression,
    pub outputs: Vec<OutputParameter>,
    /// Stands for the code's digest in the cache key; the author says when the code has changed.
    pub code_version: Option<String>,
    /// An attempt that may have begun and was lost is not followed by another one.
    pub exactly_once_start: bool,
    /// What the function reads besides its arguments; `None` if the step does not say.
    pub reads: Option<Vec<Expression>>,
}

/// Sends a message to a queue and waits for the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct CallbackStep {
    pub sqs_queue_url: QueueUrl,
    /// Always an object.
    pub arguments: Expression,
    pub outputs: Vec<OutputParameter>,
}

impl StepKind {
    pub fn step_type(&self) -> StepType {
        match self {
            Self::Lambda(_) => StepType::Lambda,
            Self::Callback(_) => StepType::Callback,
            Self::Condition { .. } => StepType::Condition,
            Self::Fail { .. } => StepType::Fail,
            Self::Job(job) => job.step_type,
        }
    }

    /// Returns true if this version can execute the step. Others are refused at the start.
    pub fn is_runnable(&self) -> bool {
        self.step_type().is_runnable()
    }

    /// Returns the declared outputs; none for types that declare none.
    pub fn outputs(&self) -> &[OutputParameter] {
        match self {
            Self::Lambda(step) => &step.outputs,
            Self::Callback(step) => &step.outputs,
            Self::Condition { .. } | Self::Fail { .. } | Self::Job { .. } => &[],
        }
    }

    /// Calls `visit` for each expression: in arguments, conditions and message.
    pub fn expressions<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression)) {
        match self {
            Self::Lambda(lambda) => {
                once(&lambda.arguments).chain(lambda.reads.iter().flatten()).for_each(visit);
            }
            Self::Callback(callback) => visit(&callback.arguments),
            Self::Fail { message } => visit(message),
            Self::Condition { conditions } => {
                for condition in conditions {
                    condition.expressions(visit);
                }
            }
            Self::Job(job) => visit(&job.arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_reads_back_as_written() {
        for step_type in StepType::ALL {
            assert_eq!(StepType::parse(step_type.name()), Some(*step_type));
        }
        assert_eq!(StepType::parse("lambda"), None);
    }

    #[test]
    fn what_a_type_can_have_has_a_key() {
        for step_type in StepType::ALL {
            let (rules, keys) = (step_type.rules(), step_type.rules().keys());
            let has = |key| keys.contains(&key) || rules.is_open;
            assert!(!rules.has_outputs || has("OutputParameters"), "{step_type}");
            assert!(!rules.has_retries || has("RetryPolicies"), "{step_type}");
            assert!(!rules.has_timeout || has("TimeoutSeconds"), "{step_type}");
            assert_eq!(rules.caching != Caching::Refused, has("CacheConfig"), "{step_type}");
        }
    }
}
