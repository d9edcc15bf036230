//! Responses of the Lambda API, worded as Lambda words them.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sidestep_core::execution::start::{PLACES_VARIABLE, READS_VARIABLE};
use sidestep_core::plan::lease::{EVENT_VARIABLE, SDK_VARIABLE};
use uuid::Uuid;

use super::error::InvokeError;
use super::function::Code;
use super::invocation::{Function, InvokeOutput};

/// Returns the response of an `Invoke` that was accepted.
///
/// It carries the end of the log if the caller wants that.
pub(super) fn invoked(output: InvokeOutput, wants_log_tail: bool) -> Response {
    let status = StatusCode::from_u16(output.status_code).unwrap_or(StatusCode::OK);
    let mut response = (status, output.payload).into_response();
    let headers = response.headers_mut();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-amzn-requestid", &output.request_id);
    if status == StatusCode::OK {
        set("content-type", "application/json");
        set("x-amz-executed-version", "$LATEST");
        if wants_log_tail {
            set("x-amz-log-result", &BASE64_STANDARD.encode(&output.log_tail));
        }
    }
    if let Some(function_error) = output.function_error {
        set("x-amz-function-error", function_error);
    }
    response
}

/// Describes a function as `GetFunctionConfiguration` does, with the version of its code.
pub(super) fn configuration(function: &Function) -> Value {
    let config = &function.config;
    let (runtime, handler, all) = match &config.code {
        Code::Process(command) => {
            (command.runtime.as_str(), command.handler.as_str(), Some(&command.environment))
        }
        Code::InProcess(_) => ("provided.al2023", "", None),
    };
    // Other variables are left out: they name folders of this machine, and no client here reads
    // them.
    let names = [SDK_VARIABLE, EVENT_VARIABLE, READS_VARIABLE, PLACES_VARIABLE].into_iter();
    let own: BTreeMap<_, _> = names.filter_map(|name| Some((name, all?.get(name)?))).collect();
    let environment = (!own.is_empty()).then(|| json!({ "Variables": own }));
    json!({
        "Environment": environment,
        "FunctionName": config.name.as_str(),
        "FunctionArn": function.arn,
        "Runtime": runtime,
        "Handler": handler,
        "CodeSha256": config.code_sha256,
        "Version": function.version,
        "Timeout": config.timeout.as_secs() + u64::from(config.timeout.subsec_nanos() > 0),
        "MemorySize": config.memory_mb,
        "PackageType": "Zip",
        "State": "Active",
        "LastUpdateStatus": "Successful",
    })
}

/// Returns the response of an operation that succeeded.
pub(super) fn ok(document: &Value) -> Response {
    let request_id = Uuid::new_v4().to_string();
    ([("x-amzn-requestid", request_id)], Json(document)).into_response()
}

/// Returns a refusal in the words of Lambda: a type in a header, and a document.
pub(super) fn refused(error: &InvokeError) -> Response {
    let (status, error_type) = match error {
        InvokeError::FunctionNotFound { .. } => {
            (StatusCode::NOT_FOUND, "ResourceNotFoundException")
        }
        InvokeError::TooManyRequests { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException")
        }
        InvokeError::RequestTooLarge { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException")
        }
        InvokeError::InvalidRequestContent { .. } => {
            (StatusCode::BAD_REQUEST, "InvalidRequestContentException")
        }
        InvokeError::InvalidParameterValue { .. } => {
            (StatusCode::BAD_REQUEST, "InvalidParameterValueException")
        }
        InvokeError::RecursiveInvocation { .. } => {
            (StatusCode::BAD_REQUEST, "RecursiveInvocationException")
        }
        InvokeError::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "ServiceException"),
    };
    let message = match error {
        InvokeError::InvalidRequestContent { source } => format!("{error}: {source}"),
        InvokeError::TooManyRequests { .. } => "Rate Exceeded.".to_owned(),
        _ => error.to_string(),
    };
    let fault = if status.is_server_error() { "Service" } else { "User" };
    let mut document = json!({ "Type": fault, "Message": message });
    if let InvokeError::TooManyRequests { reason, .. } = error {
        document["Reason"] = json!(reason);
    }
    let request_id = Uuid::new_v4().to_string();
    let headers = [("x-amzn-errortype", error_type), ("x-amzn-requestid", &request_id)];
    let mut response = (status, headers, Json(document)).into_response();
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
