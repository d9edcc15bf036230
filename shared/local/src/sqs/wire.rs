//! AWS JSON 1.0 over HTTP: a header names the operation, and errors name a shape in the body.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::api;
use super::error::SqsServerError;
use super::store::Store;

/// The largest request: ten messages of 1 MiB, escaped.
const REQUEST_BYTES: usize = 32 << 20;
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// Serves the protocol until `shutdown`, then finishes the requests that are running.
pub(super) async fn serve(
    store: Arc<Store>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // The path is ignored: some SDKs send requests to the queue's own URL, and the body says it
    // all.
    let router = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(REQUEST_BYTES))
        .with_state(store);
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not set TCP_NODELAY");
        }
    });
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

/// Answers one request.
async fn answer(State(store): State<Arc<Store>>, headers: HeaderMap, body: Bytes) -> Response {
    let result = match read(&headers, &body) {
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
