//! The start of an execution: the facts that it was started with, written once before anything else
//! and never edited.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::definition::function_ref::FunctionRef;
use crate::definition::{Pipeline, Step, StepIndex, StepKind};
use crate::execution::invocation::{Invocation, RESERVED_KEY};
use crate::execution::result::Supplied;
use crate::execution::token::Secret;
use crate::job::start::JobSettings;
use crate::name::{ExecutionId, ParameterName, PipelineName, StepName};
use crate::parse::Format;
use crate::uri::S3Uri;

/// The newest layout of stored state that this code reads and writes.
pub const STATE_VERSION: u32 = 4;
/// The layout of an execution without jobs, which earlier releases handle, too.
pub const STATE_VERSION_WITHOUT_JOBS: u32 = 3;

/// The immutable facts of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Start {
    pub state_version: u32,
    pub execution_id: ExecutionId,
    pub pipeline_name: PipelineName,
    /// The SHA-256 of the definition's text. The text lies in S3 under this digest.
    pub definition_digest: String,
    /// The format of the text.
    pub definition_format: Format,
    /// Every parameter of the definition, defaults included.
    pub parameters: BTreeMap<ParameterName, Value>,
    /// The functions as they were at the start, by the `FunctionArn` of the definition. An
    /// execution never sees new code.
    pub functions: BTreeMap<FunctionRef, Function>,
    /// The functions that cannot run where this execution runs, and why. Their steps are skipped.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<FunctionRef, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<JobSettings>,
    /// In milliseconds since 1970.
    pub started_at_ms: u64,
    /// If true, cached results are used. Successes are published in either case.
    pub use_cache: bool,
    /// What is to run; absent if everything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
    /// Steps that run although a cached result could stand in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub forced: BTreeSet<StepIndex>,
    /// The execution that `Changed`, `CodeChanged` and `Else: Reuse` compare with. It is set only
    /// if the definition has one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<ExecutionId>,
    /// SageMaker's `MaxParallelExecutionSteps`; absent if there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel_execution_steps: Option<u32>,
    /// The place where this execution's attempts write: `s3://BUCKET/runs/PIPELINE/EXECUTION/`.
    pub output_prefix: S3Uri,
    pub pipeline_arn: String,
    /// What started it in words: a command, or an upload's URI.
    pub trigger: String,
    /// The upload that started it; absent if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded: Option<Uploaded>,
    /// Why it has no steps and fails at once; absent unless a trigger could start nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    pub secret: Secret,
}

/// An upload that started an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Uploaded {
    pub uri: S3Uri,
    /// The version, or the ETag where the bucket keeps no versions; of a batch, the part's number.
    pub version: String,
    /// The parameters that hold something of the object: its key, a part of it, its size.
    pub parameters: BTreeSet<ParameterName>,
}

/// What a trigger asked for that started nothing, so that it can be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Refused {
    pub reason: String,
    /// The parameters as they were given, as text.
    pub parameters: BTreeMap<String, String>,
}

/// The beginning of the failure reason of an execution that a trigger could not start.
pub const NOT_STARTED: &str = "Nothing was started: ";

/// The steps that run, and what stands in for the others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Selection {
    /// The selectors as they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub select: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    pub selected: BTreeSet<StepIndex>,
    /// `SourcePipelineExecutionArn`: the execution whose results stand in for steps that are not
    /// selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ExecutionId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub supplied: BTreeMap<StepIndex, Supplied>,
    /// If true, what was supplied may be published to the cache.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub publish_supplied: bool,
}

impl Start {
    pub fn execution_arn(&self) -> String {
        self.arn_of(&self.execution_id)
    }

    /// Returns the ARN of an execution of the same pipeline.
    pub fn arn_of(&self, id: &ExecutionId) -> String {
        format!("{}/execution/{id}", self.pipeline_arn)
    }

    /// Returns the prefix below which one attempt of a step may write. It is built from checked
    /// names only.
    pub fn attempt_prefix(&self, step: &StepName, attempt: u32) -> S3Uri {
        self.output_prefix.join(&format!("{step}/{attempt}/"))
    }

    /// Returns the function that `step` invokes; `None` if it invokes none or one that is left out.
    pub fn function(&self, step: &Step) -> Option<&Function> {
        match &step.kind {
            StepKind::Lambda(lambda) => self.functions.get(&lambda.function_arn),
            _ => None,
        }
    }

    /// Returns the memory of the function that `step` invokes, 0 if it invokes none.
    pub fn memory_mb(&self, step: &Step) -> u32 {
        self.function(step).map_or(0, |function| function.memory_mb)
    }

    /// Returns true if `other` asks for the same work: the same pipeline, definition, parameters
    /// and code.
    pub fn is_same_work(&self, other: &Self) -> bool {
        let work = |start: &Self| {
            let pipeline = (start.pipeline_name.clone(), start.definition_digest.clone());
            let inputs = (start.parameters.clone(), start.functions.clone());
            let chosen = (start.selection.clone(), start.forced.clone());
            (pipeline, inputs, chosen, start.use_cache, start.left_out.clone())
        };
        work(self) == work(other)
    }
}

/// The environment variable of a function that lists its `reads`: a JSON array of S3 URIs.
pub const READS_VARIABLE: &str = "SIDESTEP_READS";

/// The same for the places that its environment names, where the environment itself is not told.
pub const PLACES_VARIABLE: &str = "SIDESTEP_PLACES";

/// A Lambda function as it was when the execution started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Function {
    /// The one version that this execution invokes, as a qualified ARN.
    pub invoke_arn: String,
    /// The digest of the code, a part of every cache key of its steps.
    pub code_digest: String,
    pub memory_mb: u32,
    pub timeout_seconds: u32,
    /// If true, its handler renews the attempt's lease and heeds `ExactlyOnceStart`, as the step
    /// SDKs do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_sdk: bool,
    /// What it reads besides its steps' arguments. It counts for steps without `Reads`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<S3Uri>,
    /// The places that its environment names. They count as `reads` do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<S3Uri>,
    /// If true, its event is exactly the step's arguments.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_plain: bool,
}

impl Function {
    /// Returns the event of an invocation: the step's arguments, and beside them what the function
    /// may know.
    ///
    /// Only a step SDK gets the token, because it reports by itself and shows the token to no
    /// handler. Every other function is known by its request id, so nothing that it logs proves
    /// anything.
    pub fn event(&self, arguments: &Value, invocation: &Invocation) -> Value {
        let mut event = arguments.clone();
        if self.is_plain {
            return event;
        }
        let mut reserved = json!(invocation);
        if !self.has_sdk
            && let Some(members) = reserved.as_object_mut()
        {
            members.remove("Token");
        }
        event[RESERVED_KEY] = reserved;
        event
    }

    /// Returns true if its attempts are known by the request ids of their invocations, because it
    /// gets no token.
    pub fn is_known_by_request(&self) -> bool {
        !self.has_sdk
    }
}

/// Returns the steps with `ExactlyOnceStart` whose functions have no step SDK to keep it.
pub fn cannot_start_once(
    pipeline: &Pipeline,
    functions: &BTreeMap<FunctionRef, Function>,
) -> Vec<(StepName, FunctionRef)> {
    let steps = pipeline.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Lambda(lambda) if lambda.exactly_once_start => {
            // A function that is left out here does not run at all.
            let function = functions.get(&lambda.function_arn)?;
            (!function.has_sdk).then(|| (step.name.clone(), lambda.function_arn.clone()))
        }
        _ => None,
    });
    steps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    #[test]
    fn only_a_step_sdk_gets_the_token_and_a_plain_function_its_arguments_alone() {
        let function = |has_sdk, is_plain| Function {
            invoke_arn: String::new(),
            code_digest: String::new(),
            memory_mb: 128,
            timeout_seconds: 3,
            has_sdk,
            reads: Vec::new(),
            places: Vec::new(),
            is_plain,
        };
        let document = json!({"ExecutionId": ExecutionId::from_bytes([7; 16]),
            "PipelineName": "p", "StepName": "S", "AttemptCount": 2, "Token": "secret",
            "OutputPrefix": "s3://bucket/runs/p/e/S/2/", "DeadlineMs": 9});
        let invocation = serde_json::from_value(document).expect("an invocation");
        let arguments = json!({"k": 5});
        let event = |has_sdk, is_plain| function(has_sdk, is_plain).event(&arguments, &invocation);
        assert_eq!(event(false, true), arguments);
        assert_eq!(event(true, false)[RESERVED_KEY]["Token"], "secret");
        let without = event(false, false);
        assert_eq!(without[RESERVED_KEY]["StepName"], "S");
        assert!(!without.to_string().contains("secret"), "{without}");
    }

    #[test]
    fn a_start_that_happens_once_takes_a_function_with_the_step_sdk() {
        let text = r#"
Version: "2020-12-01"
Steps:
- { Name: Kept, Type: Lambda, FunctionArn: sdk, Arguments: {}, ExactlyOnceStart: true }
- { Name: Broken, Type: Lambda, FunctionArn: plain, Arguments: {}, ExactlyOnceStart: true }
- { Name: Often, Type: Lambda, FunctionArn: plain, Arguments: {} }
- { Name: Absent, Type: Lambda, FunctionArn: left-out, Arguments: {}, ExactlyOnceStart: true }
- { Name: Stop, Type: Fail, Arguments: { ErrorMessage: no } }
"#;
        let pipeline = parse(text.as_bytes(), Format::Yaml).expect("a valid definition").pipeline;
        let function = |step: usize, has_sdk| {
            let StepKind::Lambda(lambda) = &pipeline.steps[step].kind else { unreachable!() };
            let function = Function {
                invoke_arn: String::new(),
                code_digest: String::new(),
                memory_mb: 128,
                timeout_seconds: 3,
                has_sdk,
                reads: Vec::new(),
                places: Vec::new(),
                is_plain: false,
            };
            (lambda.function_arn.clone(), function)
        };
        let functions = [function(0, true), function(1, false)].into();
        let steps = cannot_start_once(&pipeline, &functions);
        let names: Vec<_> =
            steps.iter().map(|(step, name)| (step.as_str(), name.as_str())).collect();
        assert_eq!(names, [("Broken", "plain")]);
    }
}
