//! The options of the cloud's Lambda host.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::account::{ACCOUNT_ID, REGION};
use crate::lambda::{HostOptions, LogKey};
use crate::s3::S3Server;

/// Returns the options of the Lambda host.
pub(crate) fn host_options(
    path: &Path,
    environment: BTreeMap<String, String>,
    s3: &S3Server,
) -> HostOptions {
    HostOptions {
        log_key: Some(Arc::new(|_, payload| log_key(payload))),
        region: REGION.to_owned(),
        account_id: ACCOUNT_ID.to_owned(),
        environment,
        state: Some(path.to_owned()),
        tracer: Some(s3.tracer().clone()),
        guards: s3.guards().clone(),
        ..HostOptions::new(path.join("logs"))
    }
}

/// Names the log of a step's attempt, so that it is found by execution, step and attempt.
///
/// The lines are in `EXECUTION.log` as `STEP/ATTEMPT`.
fn log_key(payload: &[u8]) -> Option<LogKey> {
    let event: Value = serde_json::from_slice(payload).ok()?;
    let invocation = &event["Sidestep"];
    let (execution, step) = (invocation["ExecutionId"].as_str()?, invocation["StepName"].as_str()?);
    LogKey::parse(&format!("{execution}/{step}/{}", invocation["AttemptCount"].as_u64()?)).ok()
}
