//! What an execution was started with: written once, before anything else, and never edited.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::{ExecutionId, ParameterName, PipelineName};
use crate::reader::Format;
use crate::token::Secret;
use crate::uri::S3Uri;

/// The newest layout of stored state that this code reads and writes.
pub const STATE_VERSION: u32 = 1;

/// The immutable facts of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Start {
    pub state_version: u32,
    pub execution_id: ExecutionId,
    pub pipeline_name: PipelineName,
    /// SHA-256 of the definition's text; the text lies in S3 under this digest.
    pub definition_digest: String,
    /// How to read the text.
    pub definition_format: Format,
    /// Every parameter of the definition, defaults included.
    pub parameters: BTreeMap<ParameterName, Value>,
    /// Functions by the `FunctionArn` of the definition, as they were at the start: an execution never sees new code.
    pub functions: BTreeMap<String, Function>,
    /// Functions that cannot run where this execution runs, and why: their steps are skipped.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, String>,
    /// In milliseconds since 1970.
    pub started_at_ms: u64,
    /// Whether cached results are used; successes are published all the same.
    pub use_cache: bool,
    /// Where this execution's runs write, `s3://BUCKET/runs/PIPELINE/EXECUTION/`.
    pub output_prefix: S3Uri,
    pub pipeline_arn: String,
    /// What started it, in words: a command, an upload's URI.
    pub trigger: String,
    pub secret: Secret,
}

impl Start {
    pub fn execution_arn(&self) -> String {
        format!("{}/execution/{}", self.pipeline_arn, self.execution_id)
    }

    /// Whether `other` asks for the same work: the same pipeline, definition, parameters and code.
    pub fn is_same_work(&self, other: &Self) -> bool {
        let work = |start: &Self| {
            let pipeline = (start.pipeline_name.clone(), start.definition_digest.clone());
            let inputs = (start.parameters.clone(), start.functions.clone());
            (pipeline, inputs, start.use_cache, start.left_out.clone())
        };
        work(self) == work(other)
    }
}

/// A Lambda function as it was when the execution started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Function {
    /// The one version that this execution invokes: a qualified ARN.
    pub invoke_arn: String,
    /// Digest of the code; part of every cache key of its steps.
    pub code_digest: String,
    pub memory_mb: u32,
    pub timeout_seconds: u32,
}
