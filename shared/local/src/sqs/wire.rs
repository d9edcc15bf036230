//! AWS JSON 1.0 over HTTP: a header names the operation, and errors name a shape in the body.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::api;
use super::error::SqsServerError;
use super::store::Store;

/// The largest request: ten messages of 1 MiB, escaped.
const REQUEST_BYTES: usize = 32 << 20;
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// Answers one request.
///
/// The path is ignored: some SDKs send requests to the queue's own URL, and the body says it all.
pub(super) async fn answer(store: Arc<Store>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, REQUEST_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let result = match read(&head.headers, &body) {
        Ok((operation, request)) => api::perform(&store, &operation, request).await,
        Err(error) => Err(error),
    };
    let request_id = Uuid::new_v4().to_string();
    match result {
        Ok(document) => {
            let headers = [("content-type", CONTENT_TYPE), ("x-amzn-requestid", &request_id)];
            (headers, document.to_string()).into_response()
        }
        Err(error) => {
            let (shape, code) = error.codes();
            let (status, fault) = if error.is_senders() {
                (StatusCode::BAD_REQUEST, "Sender")
            } else {
                tracing::error!(%error, "the embedded SQS failed a request");
                (StatusCode::INTERNAL_SERVER_ERROR, "Receiver")
            };
            let headers = [
                ("content-type", CONTENT_TYPE),
                ("x-amzn-requestid", &request_id),
                ("x-amzn-query-error", &format!("{code};{fault}")),
            ];
            let document = json!({ "__type": shape, "message": error.to_string() });
            (status, headers, document.to_string()).into_response()
        }
    }
}

/// Returns the operation and the document of a request.
fn read(headers: &HeaderMap, body: &Bytes) -> Result<(String, Value), SqsServerError> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix("AmazonSQS."));
    let Some(operation) = operation else {
        let what = "a request without `X-Amz-Target: AmazonSQS.OPERATION` (the Query protocol)";
        return Err(SqsServerError::Unsupported(what.to_owned()));
    };
    let request = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(body)
            .map_err(|error| SqsServerError::Malformed { why: error.to_string() })?
    };
    Ok((operation.to_owned(), request))
}
