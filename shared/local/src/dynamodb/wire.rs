//! AWS JSON 1.0 over HTTP: a header names the operation, and errors name a shape in the body.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html>

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use dynoxide::{Database, DynoxideError};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::operation::perform;

const JSON: &str = "application/x-amz-json-1.0";
const TARGETS: [&str; 2] = ["DynamoDB_20120810.", "DynamoDBStreams_20120810."];
/// DynamoDB's limit of a request.
const BODY_BYTES: usize = 16 << 20;

/// Answers one request.
pub(super) async fn answer(
    database: Database,
    turns: &Semaphore,
    request: Request<Body>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target
        .filter(|_| head.method == Method::POST)
        .and_then(|target| TARGETS.iter().find_map(|prefix| target.strip_prefix(prefix)));
    let Some(operation) = operation.map(str::to_owned) else {
        return refused("UnknownOperationException", "");
    };
    let Ok(body) = to_bytes(body, BODY_BYTES).await else {
        return refused("SerializationException", "Request is too large, or broke off");
    };
    match worked(database, turns, operation, body).await {
        Ok(Some(document)) => response(StatusCode::OK, document),
        Ok(None) => refused("UnknownOperationException", ""),
        Err(error) => {
            let status = StatusCode::from_u16(error.status_code());
            response(status.unwrap_or(StatusCode::BAD_REQUEST), error.to_json())
        }
    }
}

/// Performs an operation on a thread that may wait for the disk. Returns `None` for an unknown one.
///
/// It takes effect as a whole or not at all, and once begun it ends, also if the caller leaves.
async fn worked(
    database: Database,
    turns: &Semaphore,
    operation: String,
    body: Bytes,
) -> Result<Option<String>, DynoxideError> {
    // Not more threads than can do something: the others would wait for the database's lock.
    let turn = turns.acquire().await;
    let worked = tokio::task::spawn_blocking(move || perform(&database, &operation, &body)).await;
    drop(turn);
    worked.unwrap_or_else(|error| Err(DynoxideError::InternalServerError(error.to_string())))
}

fn refused(code: &str, message: &str) -> Response<Body> {
    let document = serde_json::json!({
        "__type": format!("com.amazon.coral.service#{code}"),
        "message": message,
    });
    response(StatusCode::BAD_REQUEST, document.to_string())
}

fn response(status: StatusCode, document: String) -> Response<Body> {
    let mut response = Response::new(Body::from(document));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    let request_id = Uuid::new_v4().simple().to_string().to_uppercase();
    if let Ok(request_id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-amzn-requestid", request_id);
    }
    response
}
