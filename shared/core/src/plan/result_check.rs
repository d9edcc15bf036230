//! Checks of what a step returned: its outputs and its artifacts.

use serde_json::{Map, Value};

use crate::definition::expression::type_name;
use crate::definition::output::{convert_output, is_within_depth};
use crate::definition::output_reads::missing_output;
use crate::definition::{Pipeline, StepIndex};
use crate::execution::commit::Failure;
use crate::execution::manifest::Artifact;
use crate::failure::FailureType;
use crate::limits::{
    ARTIFACT_LIST_BYTES, ARTIFACTS, OUTPUT_BYTES, OUTPUT_DEPTH, artifact_bytes, json_bytes,
};
use crate::uri::S3Uri;

/// Returns the outputs of a function that returned `value` and writes no manifest.
///
/// `null` has none. Nor has a text, a number, a boolean or a list, which is fine for a step that
/// declares no outputs, as many functions return `"done"` or `json.dumps(...)`.
pub(crate) fn outputs_of(
    pipeline: &Pipeline,
    step: StepIndex,
    value: &Value,
) -> Result<Map<String, Value>, Failure> {
    match value {
        Value::Object(outputs) => Ok(outputs.clone()),
        Value::Null => Ok(Map::new()),
        _ if pipeline.step(step).outputs().is_empty() => Ok(Map::new()),
        other => {
            let found = type_name(other);
            let message = format!("the function returned {found}, not a JSON object");
            Err(Failure::new(FailureType::OutputNotObject, message))
        }
    }
}

/// Checks that the artifacts lie below `prefix`, where the attempt writes, and that a commit can
/// hold them.
///
/// Elsewhere other parties write: what lies there is not the attempt's to name as its result.
pub(crate) fn check_artifacts(prefix: &S3Uri, artifacts: &[Artifact]) -> Result<(), Failure> {
    let is_foreign = |uri: &S3Uri| uri == prefix || !prefix.covers(uri);
    if let Some(foreign) = artifacts.iter().find(|artifact| is_foreign(&artifact.uri)) {
        let message = format!("artifact `{}` is not below `{prefix}`", foreign.uri);
        return Err(Failure::new(FailureType::Artifact, message));
    }
    let prefix = prefix.to_string();
    let names = artifacts.iter().map(|artifact| {
        let uri = artifact.uri.to_string();
        let name = uri.strip_prefix(&prefix).unwrap_or(&uri);
        // A digest is 64 digits, unless the function made it up.
        artifact_bytes(name) + artifact.sha256.len().saturating_sub(64)
    });
    let (count, bytes) = (artifacts.len(), names.sum::<usize>());
    let message = if count > ARTIFACTS {
        format!("the step has {count} artifacts, over the limit of {ARTIFACTS}")
    } else if bytes > ARTIFACT_LIST_BYTES {
        format!(
            "the list of {count} artifacts takes {bytes} bytes, over the limit of \
             {ARTIFACT_LIST_BYTES}: write fewer artifacts, or give them shorter names"
        )
    } else {
        return Ok(());
    };
    Err(Failure::new(FailureType::Artifact, message))
}

/// Checks the size, the depth and the types of a step's outputs, and that none is missing.
///
/// Every declared output that was returned must convert to its type. One may be absent only where
/// [`missing_output`] allows it.
pub(crate) fn check_outputs(
    pipeline: &Pipeline,
    step: StepIndex,
    outputs: &Map<String, Value>,
) -> Result<(), Failure> {
    let size = json_bytes(outputs);
    if size > OUTPUT_BYTES {
        let message = format!("the outputs have {size} bytes, over the limit of {OUTPUT_BYTES}");
        return Err(Failure::new(FailureType::OutputTooLarge, message));
    }
    if !is_within_depth(outputs) {
        let message = format!("the outputs are nested deeper than {OUTPUT_DEPTH} levels");
        return Err(Failure::new(FailureType::OutputTooDeep, message));
    }
    for declared in pipeline.step(step).outputs() {
        let Some(value) = outputs.get(&declared.name) else { continue };
        convert_output(value, declared.output_type).map_err(|why| {
            Failure::new(FailureType::OutputType, format!("output `{}`: {why}", declared.name))
        })?;
    }
    match missing_output(pipeline, step, outputs) {
        Some(missing) => Err(Failure::new(FailureType::OutputMissing, missing.to_string())),
        None => Ok(()),
    }
}
