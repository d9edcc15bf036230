//! One invocation, from the request for it to the outcome that ends it.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::json;
#[cfg(doc)]
use sidestep_core::execution::invocation::ATTEMPT_HEADER;
use sidestep_core::failure::FailureType;
use sidestep_engine::ports::objects::sha256_hex;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::function::{FunctionConfig, FunctionError, RecursiveLoop};
use super::limits::RECURSION_VISITS;

/// How a caller invokes a function.
///
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvocationType {
    /// The event is queued; retries and destinations apply.
    Event,
    /// The function runs now and the caller gets its response.
    RequestResponse,
    /// The host only checks that the function exists.
    DryRun,
}

/// A request to invoke a function.
#[derive(Debug, Clone)]
pub struct InvokeRequest {
    /// The function's name or ARN.
    pub function: String,
    /// The event as JSON. An empty payload counts as `{}`.
    pub payload: Bytes,
    pub invocation_type: InvocationType,
    /// The client's context as JSON, which the function gets as it is.
    pub client_context: Option<String>,
    /// The caller's `X-Amzn-Trace-Id`. Without one the host makes a new one.
    pub trace_id: Option<String>,
    /// The attempt of a step that the engine invokes, see [`ATTEMPT_HEADER`]. It names the log.
    pub attempt: Option<String>,
}

/// The answer to the caller of an invocation.
#[derive(Debug, Clone)]
pub struct InvokeOutput {
    pub request_id: String,
    /// 200, or 202 for `Event`, or 204 for `DryRun`.
    pub status_code: u16,
    /// The function's response, or the error document if `function_error` is set. Empty for
    /// `Event`.
    pub payload: Bytes,
    /// `Unhandled` if the function failed.
    pub function_error: Option<&'static str>,
    /// The last 4 KB of the log. Empty for `Event` and for in-process handlers.
    pub log_tail: String,
}

/// An accepted invocation.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: Arc<str>,
    pub(super) function: Arc<Function>,
    pub(super) payload: Bytes,
    pub(super) client_context: Option<String>,
    pub(super) trace_id: String,
    /// The attempt of a step that the engine invoked.
    pub(super) attempt: Option<String>,
    /// How often its chain of requests has visited the function, this time included.
    pub(super) visits: u32,
    pub(super) accepted_at: Instant,
}

impl Invocation {
    /// Returns true if Lambda would drop the invocation as part of a recursive loop.
    pub(super) fn is_recursive(&self) -> bool {
        self.visits > RECURSION_VISITS
            && self.function.config.recursive_loop == RecursiveLoop::Terminate
    }
}

/// A registered function with what is derived from its configuration.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) config: FunctionConfig,
    pub(super) arn: String,
    /// A number made of the code's digest, so that the same code has it in every process.
    pub(super) version: String,
}

impl Function {
    /// Returns the number of the version with this code.
    pub(super) fn version_of(code_sha256: &str) -> String {
        let digest = sha256_hex(code_sha256.as_bytes());
        u32::from_str_radix(&digest[..8], 16).unwrap_or_default().to_string()
    }
}

/// An invocation on its way to an environment.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) invocation: Arc<Invocation>,
    /// The number of the attempt, from 1.
    pub(super) attempt: u32,
    /// The caller that waits for the outcome; absent for `Event`.
    pub(super) waiting: Option<oneshot::Sender<Outcome>>,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) result: Result<Bytes, Failure>,
    pub(super) log_tail: String,
}

/// A failed attempt: the error's type, and the document that callers and destinations get.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) error_type: String,
    pub(super) payload: Bytes,
    /// True if the host stopped the invocation because it shuts down. Nothing more happens to it.
    pub(super) is_shutdown: bool,
}

impl Failure {
    /// Makes the failure of an error that the function reported.
    pub(super) fn new(error: &FunctionError) -> Self {
        let document =
            json!({ "errorType": error.error_type, "errorMessage": error.error_message });
        Self {
            error_type: error.error_type.clone(),
            payload: document.to_string().into(),
            is_shutdown: false,
        }
    }

    /// Makes a failure that the platform found, worded as Lambda does: `RequestId: ... Error: ...`.
    pub(super) fn platform(failure_type: FailureType, request_id: &str, message: &str) -> Self {
        let message = format!("RequestId: {request_id} Error: {message}");
        Self::new(&FunctionError::new(failure_type, message))
    }

    /// Makes the failure of an attempt that the host's shutdown ended.
    pub(super) fn shutdown(request_id: &str) -> Self {
        let stopped =
            Self::platform(FailureType::SandboxShutdown, request_id, "The host is shutting down");
        Self { is_shutdown: true, ..stopped }
    }
}

/// Makes a fresh trace header that asks for no sampling.
///
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
pub(super) fn new_trace_id() -> String {
    let id = Uuid::new_v4().simple().to_string();
    let seconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since_epoch| since_epoch.as_secs());
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", &id[..24], &id[16..])
}
