//! Invocations of handlers in the host's own process.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sidestep_core::failure::FailureType;

use super::answer::response_too_large;
use super::function::{FunctionError, Handler, InvocationMeta};
use super::invocation::{Failure, Invocation, Outcome};
use super::limits::RESPONSE_PAYLOAD_BYTES;
use super::shared::Shared;

/// Runs a handler on a task of its own, so that its panic ends only that task.
pub(super) async fn invoke(
    shared: &Shared,
    handler: &Arc<dyn Handler>,
    invocation: &Invocation,
) -> Outcome {
    let timeout = invocation.function.config.timeout;
    let request_id = &invocation.request_id;
    let meta = InvocationMeta {
        request_id: request_id.to_string(),
        function_name: invocation.function.config.name.clone(),
        invoked_function_arn: invocation.function.arn.clone(),
        trace_id: invocation.trace_id.clone(),
        deadline: SystemTime::now() + timeout,
    };
    let result = match serde_json::from_slice(&invocation.payload) {
        Err(error) => Err(Failure::new(&FunctionError::new(
            FailureType::RuntimeUnmarshalError,
            error.to_string(),
        ))),
        Ok(event) => {
            let handler = handler.clone();
            let task = tokio::spawn(async move { handler.handle(event, meta).await });
            let abort = task.abort_handle();
            tokio::select! {
                () = shared.kill.cancelled() => {
                    abort.abort();
                    Err(Failure::shutdown(request_id))
                }
                ended = tokio::time::timeout(timeout, task) => match ended {
                    Ok(Ok(Ok(value))) => response(value.to_string().into()),
                    Ok(Ok(Err(error))) => Err(Failure::new(&error)),
                    Ok(Err(panicked)) => {
                        Err(Failure::platform(FailureType::RuntimeExitError, request_id, &panicked.to_string()))
                    }
                    Err(_elapsed) => {
                        abort.abort();
                        Err(timed_out(request_id, timeout))
                    }
                },
            }
        }
    };
    Outcome { result, log_tail: String::new() }
}

/// Checks a response against Lambda's limit.
fn response(payload: Bytes) -> Result<Bytes, Failure> {
    if payload.len() > RESPONSE_PAYLOAD_BYTES {
        return Err(response_too_large(payload.len()));
    }
    Ok(payload)
}

/// Returns the failure of a handler that ran out of time, worded as Lambda does.
fn timed_out(request_id: &str, timeout: Duration) -> Failure {
    let message = format!("Task timed out after {:.2} seconds", timeout.as_secs_f64());
    Failure::platform(FailureType::SandboxTimedout, request_id, &message)
}
