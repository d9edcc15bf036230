//! AWS JSON 1.1: a header names the operation, and errors name a shape in the body.

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use uuid::Uuid;

/// The most bytes of a request.
const BODY_BYTES: usize = 2 << 20;

/// A refusal: its code and its text.
pub(super) struct Refusal(pub(super) &'static str, pub(super) String);

/// Reads the operation, without the prefix of its service, and the members of a request.
pub(super) async fn read(request: Request<Body>, prefix: &str) -> Result<(String, Value), Refusal> {
    let (head, body) = request.into_parts();
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let named = target.and_then(|target| target.strip_prefix(prefix)).map(str::to_owned);
    let operation = named.ok_or_else(|| {
        let why = format!("expected a header `X-Amz-Target: {prefix}OPERATION`");
        Refusal("UnknownOperationException", why)
    })?;
    let unreadable = |why: String| Refusal("SerializationException", why);
    let bytes = to_bytes(body, BODY_BYTES).await.map_err(|error| unreadable(error.to_string()))?;
    if bytes.is_empty() {
        return Ok((operation, json!({})));
    }
    let members = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    Ok((operation, members))
}

/// Returns the answer to a request.
pub(super) fn answered(result: Result<Value, Refusal>) -> Response<Body> {
    match result {
        Ok(document) => respond(StatusCode::OK, &document),
        Err(Refusal(code, message)) => refused(StatusCode::BAD_REQUEST, code, &message),
    }
}

/// Returns the answer to a request that is refused.
pub(super) fn refused(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    respond(status, &json!({ "__type": code, "message": message }))
}

fn respond(status: StatusCode, document: &Value) -> Response<Body> {
    let headers = [
        ("content-type", "application/x-amz-json-1.1".to_owned()),
        ("x-amzn-requestid", Uuid::new_v4().to_string()),
    ];
    (status, headers, document.to_string()).into_response()
}
