//! Invocations: what a step function is told beside its arguments, under the event's reserved key
//! `Sidestep`.

use std::fmt;

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

/// The key of a manifest, `runs/PIPELINE/EXECUTION/STEP/ATTEMPT/manifest.json`, and its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestKey {
    pub uri: S3Uri,
    pub pipeline_name: PipelineName,
    pub execution_id: ExecutionId,
    pub step_name: StepName,
    pub attempt_count: u32,
}

impl ManifestKey {
    /// Reads the key of a manifest; `None` for any other key.
    pub fn of(uri: &S3Uri) -> Option<Self> {
        let parts: Vec<_> = uri.key().split('/').collect();
        let ["runs", pipeline, execution, step, attempt, MANIFEST_NAME] = parts.as_slice() else {
            return None;
        };
        Some(Self {
            uri: uri.clone(),
            pipeline_name: PipelineName::parse(pipeline).ok()?,
            execution_id: ExecutionId::parse(execution).ok()?,
            step_name: StepName::parse(step).ok()?,
            attempt_count: attempt.parse().ok().filter(|_| !attempt.starts_with(['0', '+']))?,
        })
    }
}

/// The value of [`RESERVED_KEY`] in the event of a step function.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Invocation {
    pub execution_id: ExecutionId,
    pub pipeline_name: PipelineName,
    pub step_name: StepName,
    /// 1 for the first try.
    pub attempt_count: u32,
    /// The place where this attempt may write: `s3://BUCKET/runs/PIPELINE/EXECUTION/STEP/ATTEMPT/`.
    pub output_prefix: S3Uri,
    /// Proves that a report comes from this attempt. Never logged: `Debug` hides it.
    pub token: String,
    /// The time at which the attempt must have ended, in milliseconds since 1970.
    pub deadline_ms: u64,
    /// If true, only one run of this attempt may begin.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exactly_once_start: bool,
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation")
            .field("execution_id", &self.execution_id)
            .field("pipeline_name", &self.pipeline_name)
            .field("step_name", &self.step_name)
            .field("attempt_count", &self.attempt_count)
            .field("output_prefix", &self.output_prefix)
            .field("deadline_ms", &self.deadline_ms)
            .field("exactly_once_start", &self.exactly_once_start)
            .finish_non_exhaustive()
    }
}

/// The header by which the engine names the attempt to the embedded Lambda, as [`AttemptName`]. AWS
/// ignores it. A plain event does not say whose log the invocation writes.
pub const ATTEMPT_HEADER: &str = "x-sidestep-attempt";

/// An attempt of a step of an execution. Its text is `EXECUTION/STEP/ATTEMPT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttemptName {
    pub execution_id: ExecutionId,
    pub step_name: StepName,
    pub attempt_count: u32,
}

impl Invocation {
    /// Returns the attempt.
    pub fn attempt(&self) -> AttemptName {
        AttemptName {
            execution_id: self.execution_id.clone(),
            step_name: self.step_name.clone(),
            attempt_count: self.attempt_count,
        }
    }
}

impl fmt::Display for AttemptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.execution_id, self.step_name, self.attempt_count)
    }
}

/// The attempt that the request id of an asynchronous invocation stands for.
///
/// Lambda's record of the invocation carries the id. It comes back to the invoker alone, so the
/// record of another invocation does not fit.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RequestRecord {
    pub execution_id: ExecutionId,
    pub step_name: StepName,
    pub attempt_count: u32,
    /// The code over the request id under the attempt's token. Records of earlier releases hold the
    /// token itself, so `Debug` hides it.
    #[serde(alias = "Token")]
    pub proof: String,
    /// The function that was invoked. A record of another one is ignored.
    pub function_arn: String,
    /// Seconds since 1970 after which no record can arrive any more.
    pub expires_at: u64,
}

impl fmt::Debug for RequestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRecord")
            .field("execution_id", &self.execution_id)
            .field("step_name", &self.step_name)
            .field("attempt_count", &self.attempt_count)
            .field("function_arn", &self.function_arn)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// How long a request id is remembered, in seconds: as long as SQS keeps a message.
pub const REQUEST_SECONDS: u64 = 14 * 24 * 3600;

/// Returns true if both ARNs or names mean the same function, whatever its version.
pub fn is_same_function(one: &str, other: &str) -> bool {
    // `arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION`, or `NAME:VERSION`.
    let parts = |text: &str| -> (String, String) {
        let fields: Vec<_> = text.split(':').collect();
        match fields.as_slice() {
            ["arn", _, "lambda", region, account, "function", name, ..] => {
                (format!("{region}:{account}"), (*name).to_owned())
            }
            [name, ..] => (String::new(), (*name).to_owned()),
            [] => (String::new(), String::new()),
        }
    };
    let ((place, name), (other_place, other_name)) = (parts(one), parts(other));
    let is_one_place = place.is_empty() || other_place.is_empty() || place == other_place;
    name == other_name && is_one_place
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn invocation() -> Invocation {
        let value = json!({"ExecutionId": ExecutionId::from_bytes([7; 16]), "PipelineName": "p",
            "StepName": "S", "AttemptCount": 2, "OutputPrefix": "s3://bucket/runs/p/e/S/2/",
            "Token": "secret", "DeadlineMs": 9});
        serde_json::from_value(value).expect("an invocation")
    }

    #[test]
    fn the_token_is_in_no_debug_output() {
        let record = RequestRecord {
            execution_id: ExecutionId::from_bytes([7; 16]),
            step_name: StepName::parse("S").expect("a name"),
            attempt_count: 1,
            proof: "secret".to_owned(),
            function_arn: "f".to_owned(),
            expires_at: 1,
        };
        let said = format!("{:?} {record:?}", invocation());
        assert!(said.contains("attempt_count: 2") && !said.contains("secret"), "{said}");
    }

    #[test]
    fn a_record_of_an_earlier_release_holds_the_token() {
        let written = json!({"ExecutionId": ExecutionId::from_bytes([7; 16]), "StepName": "S",
            "AttemptCount": 1, "Token": "t", "FunctionArn": "f", "ExpiresAt": 1});
        let record: RequestRecord = serde_json::from_value(written).expect("it reads");
        assert_eq!(record.proof, "t");
    }

    #[test]
    fn a_function_is_the_same_in_every_version_and_in_one_account_and_region() {
        let arn = |rest: &str| format!("arn:aws:lambda:eu-west-1:1:function:{rest}");
        for (one, other, is_same) in [
            (arn("f:7"), arn("f:$LATEST"), true),
            (arn("f"), arn("f:live"), true),
            ("f:digest".to_owned(), arn("f"), true),
            (arn("f"), arn("g"), false),
            (arn("f"), "arn:aws:lambda:us-east-1:1:function:f".to_owned(), false),
            (arn("f"), String::new(), false),
        ] {
            assert_eq!(is_same_function(&one, &other), is_same, "{one} {other}");
        }
    }
}
