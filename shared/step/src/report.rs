//! The report of an attempt: `manifest.json`, written last and create-only.
//!
//! Its S3 event starts the steps that wait. The function's own answer repeats the outputs for a
//! user who invokes it by hand. It also names the manifest, so that the planner does not count the
//! answer as a second report.

use serde_json::{Map, Value, json};
use sidestep_core::execution::invocation::{Invocation, MANIFEST_NAME, RESERVED_KEY};
use sidestep_core::execution::manifest::Manifest;
use sidestep_core::failure::FailureType;
use sidestep_core::limits;
use sidestep_engine::ports::objects::{Created, ObjectStore};

use crate::error::StepError;

/// Writes the manifest and returns the function's answer.
///
/// If the same attempt has reported before (Lambda delivered the invocation twice), the first
/// report stands and its outputs are the answer.
pub(crate) async fn publish(
    store: &dyn ObjectStore,
    invocation: &Invocation,
    manifest: Manifest,
) -> Result<Value, StepError> {
    let uri = invocation.output_prefix.join(MANIFEST_NAME);
    let unwritten = |error| StepError::caused(FailureType::Report, &error);
    let text = serde_json::to_vec(&manifest)?;
    if text.len() > limits::MANIFEST_BYTES {
        let (bytes, limit) = (text.len(), limits::MANIFEST_BYTES);
        let message = format!("the manifest has {bytes} bytes, over the limit of {limit}");
        return Err(StepError::new(FailureType::OutputTooLarge, message));
    }
    let created = store.create(&uri, text.into(), "application/json").await.map_err(unwritten)?;
    if created == Created::New {
        return Ok(answer(invocation, manifest.outputs));
    }
    let text = store
        .get(&uri, limits::MANIFEST_BYTES as u64)
        .await
        .map_err(unwritten)?
        .unwrap_or_default();
    match serde_json::from_slice::<Manifest>(&text) {
        Ok(first) if first.is_by(&invocation.token) => Ok(answer(invocation, first.outputs)),
        _ => {
            let message = format!("`{uri}` exists and is not from this attempt");
            Err(StepError::new(FailureType::Report, message))
        }
    }
}

/// Returns the answer of a run that retires in favour of another run of the same attempt.
///
/// It names the manifest, which the other run will write, so the planner ignores this answer.
pub(crate) fn discarded(invocation: &Invocation, why: &str) -> Value {
    let mut answer = answer(invocation, Map::new());
    answer[RESERVED_KEY]["Discarded"] = why.into();
    answer
}

fn answer(invocation: &Invocation, outputs: Map<String, Value>) -> Value {
    let mut answer = Value::Object(outputs);
    answer[RESERVED_KEY] = json!({"Manifest": invocation.output_prefix.join(MANIFEST_NAME)});
    answer
}
