//! The Lambda API over HTTP, as far as SDKs and the AWS CLI invoke and inspect functions with it.
//!
//! Operations: `Invoke`, `GetFunction`, `GetFunctionConfiguration`, `ListFunctions`. Signatures are
//! not checked.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html>

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sidestep_core::plan::lease::SDK_VARIABLE;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::body::{self, ReadBody};
use super::error::InvokeError;
use super::function::Code;
use super::function_name::FunctionName;
use super::invocation::{Function, InvocationType, InvokeOutput, InvokeRequest};
use super::limits::{EVENT_PAYLOAD_BYTES, REQUEST_PAYLOAD_BYTES};
use super::shared::Shared;

/// Returns the routes of the API.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .route("/2015-03-31/functions/{name}", get(get_function))
        .route("/2015-03-31/functions/{name}/configuration", get(get_configuration))
        .route("/2015-03-31/functions", get(list_functions))
        .route("/2015-03-31/functions/", get(list_functions))
        .with_state(shared)
}

/// Serves the API until `shutdown` resolves.
pub(super) async fn serve(
    router: Router,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Nagle's algorithm would hold small answers back for up to 40 ms.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn invoke(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    shared.metrics.operation("Invoke");
    match try_invoke(&shared, &name, &uri, &headers, body).await {
        Ok(output) => invoked(output, &headers),
        Err(error) => refused(&error),
    }
}

/// Reads an `Invoke` request and performs it.
async fn try_invoke(
    shared: &Arc<Shared>,
    name: &str,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<InvokeOutput, InvokeError> {
    check_qualifier(name, uri)?;
    let invocation_type = match header(headers, "x-amz-invocation-type") {
        None | Some("RequestResponse") => InvocationType::RequestResponse,
        Some("Event") => InvocationType::Event,
        Some("DryRun") => InvocationType::DryRun,
        Some(other) => return Err(invalid("InvocationType", other)),
    };
    let client_context =
        header(headers, "x-amz-client-context").map(read_client_context).transpose()?;
    let limit = match invocation_type {
        InvocationType::Event => EVENT_PAYLOAD_BYTES,
        InvocationType::RequestResponse | InvocationType::DryRun => REQUEST_PAYLOAD_BYTES,
    };
    let payload = match body::read(body, limit).await {
        Ok(ReadBody::Complete(payload)) => payload,
        Ok(ReadBody::TooLarge(actual)) => {
            return Err(InvokeError::RequestTooLarge { limit, actual });
        }
        Err(_) => return Err(invalid("request body", "truncated")),
    };
    let request = InvokeRequest {
        function: name.to_owned(),
        payload,
        invocation_type,
        client_context,
        trace_id: header(headers, "x-amzn-trace-id").map(ToOwned::to_owned),
    };
    shared.invoke(request).await
}

/// Returns the response of an `Invoke` that was accepted.
fn invoked(output: InvokeOutput, request: &HeaderMap) -> Response {
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
        if header(request, "x-amz-log-type") == Some("Tail") {
            set("x-amz-log-result", &BASE64_STANDARD.encode(&output.log_tail));
        }
    }
    if let Some(function_error) = output.function_error {
        set("x-amz-function-error", function_error);
    }
    response
}

async fn get_function(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    shared.metrics.operation("GetFunction");
    match find(&shared, &name, &uri) {
        Ok(function) => ok(&json!({ "Configuration": configuration(&function) })),
        Err(error) => refused(&error),
    }
}

async fn get_configuration(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    shared.metrics.operation("GetFunctionConfiguration");
    match find(&shared, &name, &uri) {
        Ok(function) => ok(&configuration(&function)),
        Err(error) => refused(&error),
    }
}

async fn list_functions(State(shared): State<Arc<Shared>>) -> Response {
    shared.metrics.operation("ListFunctions");
    let functions: Vec<Value> =
        shared.scheduler.functions().iter().map(|function| configuration(function)).collect();
    ok(&json!({ "Functions": functions }))
}

/// Finds the function that a request names.
fn find(shared: &Shared, name: &str, uri: &Uri) -> Result<Arc<Function>, InvokeError> {
    check_qualifier(name, uri)?;
    let not_found = || InvokeError::FunctionNotFound { function: name.to_owned() };
    let function =
        FunctionName::from_reference(name).and_then(|name| shared.scheduler.function(&name));
    function.ok_or_else(not_found)
}

/// Refuses every version and alias but `$LATEST`, the only one that functions have here.
fn check_qualifier(name: &str, uri: &Uri) -> Result<(), InvokeError> {
    let parameters = uri.query().unwrap_or_default().split('&');
    for qualifier in parameters.filter_map(|parameter| parameter.strip_prefix("Qualifier=")) {
        let qualifier = percent_decode_str(qualifier).decode_utf8_lossy();
        if qualifier != "$LATEST" {
            return Err(InvokeError::FunctionNotFound { function: format!("{name}:{qualifier}") });
        }
    }
    Ok(())
}

/// Describes a function as `GetFunctionConfiguration` does.
fn configuration(function: &Function) -> Value {
    let config = &function.config;
    let (runtime, handler, sdk) = match &config.code {
        Code::Process(command) => {
            let sdk = command.environment.get(SDK_VARIABLE);
            (command.runtime.as_str(), command.handler.as_str(), sdk)
        }
        Code::InProcess(_) => ("provided.al2023", "", None),
    };
    // Other variables are left out: they name folders of this machine, and no client here reads
    // them.
    let environment = sdk.map(|sdk| json!({ "Variables": { SDK_VARIABLE: sdk } }));
    json!({
        "Environment": environment,
        "FunctionName": config.name.as_str(),
        "FunctionArn": function.arn,
        "Runtime": runtime,
        "Handler": handler,
        "CodeSha256": config.code_sha256,
        "Version": "$LATEST",
        "Timeout": config.timeout.as_secs() + u64::from(config.timeout.subsec_nanos() > 0),
        "MemorySize": config.memory_mb,
        "PackageType": "Zip",
        "State": "Active",
        "LastUpdateStatus": "Successful",
    })
}

/// Decodes the client's context: the header holds JSON in base64, and the function gets the JSON.
fn read_client_context(encoded: &str) -> Result<String, InvokeError> {
    let context =
        BASE64_STANDARD.decode(encoded).ok().and_then(|json| String::from_utf8(json).ok());
    context
        .filter(|context| HeaderValue::from_str(context).is_ok())
        .ok_or_else(|| invalid("ClientContext", encoded))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn invalid(parameter: &'static str, value: &str) -> InvokeError {
    InvokeError::InvalidParameterValue { parameter, value: value.to_owned() }
}

fn ok(document: &Value) -> Response {
    let request_id = Uuid::new_v4().to_string();
    ([("x-amzn-requestid", request_id)], Json(document)).into_response()
}

/// Words a refusal as Lambda does: the type in a header, and a document with `Type` and a message.
fn refused(error: &InvokeError) -> Response {
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
