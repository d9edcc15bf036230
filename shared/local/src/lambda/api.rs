//! The Lambda API over HTTP, as far as SDKs and the AWS CLI invoke and inspect functions with it.
//!
//! Operations: `Invoke`, `GetFunction`, `GetFunctionConfiguration`, `ListFunctions`; those that
//! change functions are in `functions_api.rs`. Signatures are checked by the gate in front.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html>

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sidestep_core::execution::invocation::ATTEMPT_HEADER;

use super::body::{self, ReadBody};
use super::error::InvokeError;
use super::functions_api::{self, described};
use super::invocation::{Function, InvocationType, InvokeOutput, InvokeRequest};
use super::limits::{EVENT_PAYLOAD_BYTES, REQUEST_PAYLOAD_BYTES};
use super::reference::function_of;
use super::response::{invoked, ok, refused};
use super::shared::Shared;

/// Returns the routes of the API.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    functions_api::router()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .route("/2015-03-31/functions/{name}", get(get_function))
        .route("/2015-03-31/functions/{name}/configuration", get(get_configuration))
        .route("/2015-03-31/functions", get(list_functions))
        .route("/2015-03-31/functions/", get(list_functions))
        .with_state(shared)
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
        Ok(output) => invoked(output, header(&headers, "x-amz-log-type") == Some("Tail")),
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
        attempt: header(headers, ATTEMPT_HEADER).map(ToOwned::to_owned),
    };
    shared.invoke(request).await
}

async fn get_function(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    shared.metrics.operation("GetFunction");
    match find(&shared, &name, &uri) {
        Ok(function) => {
            // The code is in no bucket; its place says which it is.
            let location = format!("file:{}", function.config.code_sha256);
            ok(&json!({
                "Configuration": described(&shared, &function),
                "Code": { "RepositoryType": "S3", "Location": location },
            }))
        }
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
        Ok(function) => ok(&described(&shared, &function)),
        Err(error) => refused(&error),
    }
}

async fn list_functions(State(shared): State<Arc<Shared>>) -> Response {
    shared.metrics.operation("ListFunctions");
    let functions: Vec<Value> =
        shared.scheduler.functions().iter().map(|function| described(&shared, function)).collect();
    ok(&json!({ "Functions": functions }))
}

/// Finds the function that a request names.
fn find(shared: &Shared, name: &str, uri: &Uri) -> Result<Arc<Function>, InvokeError> {
    check_qualifier(name, uri)?;
    let not_found = || InvokeError::FunctionNotFound { function: name.to_owned() };
    let function = function_of(name).and_then(|named| shared.scheduler.function(&named));
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
