//! AWS JSON 1.1 over HTTP: `POST /` with the operation in a header.
//!
//! Signatures are not checked, so this is for loopback only. A page in a browser cannot get at it: the header makes the browser ask first,
//! which is never allowed, and a `Host` that is no loopback name is refused, so that no foreign name can be pointed here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::api::Api;
use crate::error::ApiError;

/// A definition of 1 MB whose every character is escaped.
const BODY_BYTES: usize = 8 * 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Serves the API until the future is dropped; requests that were taken go on to their end.
pub async fn serve(listener: TcpListener, api: Arc<Api>) -> std::io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Nagle's algorithm would hold small answers back for up to 40 ms.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router(api)).await
}

/// The API at every path, as AWS's endpoints have it.
pub fn router(api: Arc<Api>) -> Router {
    Router::new().fallback(handle).with_state(api)
}

async fn handle(State(api): State<Arc<Api>>, request: Request<Body>) -> Response {
    // On a task of its own: a client that goes away must not cut an execution's start in half.
    let task = tokio::spawn(async move { answer(&api, request).await });
    match task.await {
        Ok(response) => response,
        Err(error) => refused(&ApiError::Internal(error.to_string())),
    }
}

async fn answer(api: &Api, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let operation = match operation(&head.method, &head.headers) {
        Ok(operation) => operation.to_owned(),
        Err(error) => return refused(&error),
    };
    let body = match tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let text = format!("The request has more than {BODY_BYTES} bytes, or broke off.");
            return refused(&ApiError::Serialization(text));
        }
        Err(_) => {
            return refused(&ApiError::Serialization("The request took too long.".to_owned()));
        }
    };
    match api.answer(&operation, &body).await {
        Ok(answer) => respond(StatusCode::OK, &answer),
        Err(error) => {
            if error.status() >= 500 {
                tracing::error!(operation, %error, "a request failed");
            }
            refused(&error)
        }
    }
}

/// The operation that the header names.
fn operation<'a>(method: &Method, headers: &'a HeaderMap) -> Result<&'a str, ApiError> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(host) = header(HOST.as_str()).filter(|host| !is_loopback(host)) {
        let host: String = host.chars().take(80).collect();
        return Err(ApiError::validation(format!("Host '{host}' is not a loopback name.")));
    }
    let target = header("x-amz-target").filter(|_| method == Method::POST);
    let operation = target.and_then(|target| target.strip_prefix("SageMaker."));
    operation.ok_or_else(|| {
        let target = target.unwrap_or_default().chars().take(80).collect::<String>();
        ApiError::UnknownOperation(format!(
            "Expected POST with a header 'X-Amz-Target: SageMaker.OPERATION', not '{target}'. This is the API of SageMaker pipelines."
        ))
    })
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn refused(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    // As the service model writes the member of each.
    let member = match error {
        ApiError::NotFound(_) | ApiError::Conflict(_) | ApiError::LimitExceeded(_) => "Message",
        _ => "message",
    };
    respond(status, &json!({ "__type": error.code(), member: error.to_string() }))
}

fn respond(status: StatusCode, document: &Value) -> Response {
    let headers = [
        (CONTENT_TYPE.as_str(), "application/x-amz-json-1.1".to_owned()),
        ("x-amzn-requestid", Uuid::new_v4().to_string()),
    ];
    (status, headers, document.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_pointed_here_from_elsewhere_is_no_loopback() {
        for host in ["127.0.0.1:4000", "localhost", "[::1]:4000", "sagemaker.localhost:1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["evil.example:4000", "localhost.evil.example", "10.0.0.1", "", "[::2]:1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
