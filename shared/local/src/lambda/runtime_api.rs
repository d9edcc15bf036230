//! The Lambda Runtime API of one environment: four routes on a loopback port of its own.
//!
//! Each environment has a port, because `AWS_LAMBDA_RUNTIME_API` may only be `host:port`
//! (`awslambdaric` reports its initialisation errors through a client that takes no path), and
//! because the port ties every request to one process. The routes decide nothing: they turn a
//! request into a [`RuntimeCall`], and the environment answers. Runtimes cannot sign, so the gate
//! keeps web pages out and nothing else.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::json;
use sidestep_admission::{Answer, Gate, Limits, Service, serve as serve_http};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::body::{self, ReadBody};
use super::limits::RESPONSE_PAYLOAD_BYTES;

/// One runtime needs few connections, and may be silent for as long as a function may run.
const LIMITS: Limits = Limits { connections: 16, head: Duration::from_mins(20) };
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// A request of the runtime, with the way back.
#[derive(Debug)]
pub(super) struct RuntimeCall {
    pub(super) request: RuntimeRequest,
    pub(super) reply: oneshot::Sender<RuntimeReply>,
}

/// The requests that a runtime can make.
#[derive(Debug)]
pub(super) enum RuntimeRequest {
    Next,
    Response { request_id: String, body: ReadBody },
    Error { request_id: String, error_type: Option<String>, body: ReadBody },
    InitError { error_type: Option<String>, body: ReadBody },
}

/// The environment's answers to a runtime.
#[derive(Debug)]
pub(super) enum RuntimeReply {
    Event { headers: Vec<(&'static str, String)>, payload: Bytes },
    Accepted,
    TooLarge,
    InvalidRequestId,
    InvalidStateTransition,
}

/// Serves the Runtime API until the task is aborted. Without an environment it answers 410.
pub(super) fn serve(listener: TcpListener, calls: mpsc::Sender<RuntimeCall>) -> JoinHandle<()> {
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{request_id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{request_id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(calls);
    let answer: Answer = Arc::new(move |request| {
        let router = router.clone();
        Box::pin(async move {
            let Ok(response) = router.oneshot(request).await;
            response
        })
    });
    let gate = Gate::open(Service::Runtime);
    tokio::spawn(async move {
        if let Err(error) = serve_http(listener, LIMITS, gate, answer, pending()).await {
            tracing::warn!(%error, "a runtime API stopped");
        }
    })
}

type Calls = State<mpsc::Sender<RuntimeCall>>;

async fn next(State(calls): Calls) -> Response {
    call(calls, RuntimeRequest::Next).await
}

async fn response(State(calls): Calls, Path(request_id): Path<String>, body: Body) -> Response {
    match read(body).await {
        Ok(body) => call(calls, RuntimeRequest::Response { request_id, body }).await,
        Err(refusal) => refusal,
    }
}

async fn error(
    State(calls): Calls,
    Path(request_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let error_type = error_type(&headers);
    match read(body).await {
        Ok(body) => call(calls, RuntimeRequest::Error { request_id, error_type, body }).await,
        Err(refusal) => refusal,
    }
}

async fn init_error(State(calls): Calls, headers: HeaderMap, body: Body) -> Response {
    let error_type = error_type(&headers);
    match read(body).await {
        Ok(body) => call(calls, RuntimeRequest::InitError { error_type, body }).await,
        Err(refusal) => refusal,
    }
}

fn error_type(headers: &HeaderMap) -> Option<String> {
    headers.get(ERROR_TYPE)?.to_str().ok().map(ToOwned::to_owned)
}

/// Reads a body up to the limit of a response.
async fn read(body: Body) -> Result<ReadBody, Response> {
    body::read(body, RESPONSE_PAYLOAD_BYTES).await.map_err(|_| {
        let message = "HTTP request detected as truncated";
        refuse(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", message)
    })
}

/// Passes a request to the environment and waits for its reply.
async fn call(calls: mpsc::Sender<RuntimeCall>, request: RuntimeRequest) -> Response {
    let (reply, answer) = oneshot::channel();
    let gone = || refuse(StatusCode::GONE, "EnvironmentGone", "the environment has ended");
    if calls.send(RuntimeCall { request, reply }).await.is_err() {
        return gone();
    }
    match answer.await {
        Ok(RuntimeReply::Event { headers, payload }) => event(headers, payload),
        Ok(RuntimeReply::Accepted) => {
            (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
        }
        Ok(RuntimeReply::TooLarge) => refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("Exceeded maximum allowed payload size ({RESPONSE_PAYLOAD_BYTES} bytes)."),
        ),
        Ok(RuntimeReply::InvalidRequestId) => {
            refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        }
        Ok(RuntimeReply::InvalidStateTransition) => refuse(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "the runtime may not make this request in its present state",
        ),
        Err(_) => gone(),
    }
}

/// Returns the answer to `next`.
fn event(headers: Vec<(&'static str, String)>, payload: Bytes) -> Response {
    let mut response = payload.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        // The Lambda API refuses every value that a header cannot hold.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Returns an error document of the Runtime API.
fn refuse(status: StatusCode, error_type: &str, message: &str) -> Response {
    (status, Json(json!({ "errorMessage": message, "errorType": error_type }))).into_response()
}
