//! AWS JSON 1.1 over HTTP: `POST /` with the operation in a header.
//!
//! An [`Admission`] decides which requests are accepted: on loopback all from this machine,
//! elsewhere those that are signed. Without signatures a page in a browser is kept out as well. The
//! header makes the browser ask for permission first, which it never gets. And a `Host` that is not
//! a loopback name is refused, so that no foreign name can be pointed here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::api::Api;
use crate::error::ApiError;
use crate::keys::AccessKeys;
use crate::signature::Claim;

/// The most bytes of a request: a definition of 1 MB whose every character is escaped.
const BODY_BYTES: usize = 8 * 1024 * 1024;
/// The time that a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The name in the credential scope of SageMaker's requests.
const SERVICE: &str = "sagemaker";

/// The requests that are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// All requests from this machine, with any key. For loopback only.
    Loopback,
    /// Requests that one of these keys signed.
    Signed(AccessKeys),
}

/// Serves the API until the future is dropped. Requests that were accepted run to their end.
pub async fn serve(
    listener: TcpListener,
    api: Arc<Api>,
    admission: Admission,
) -> std::io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Nagle's algorithm would hold small answers back for up to 40 ms.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router(api, admission)).await
}

/// Returns a router that has the API at every path, as AWS's endpoints do.
pub fn router(api: Arc<Api>, admission: Admission) -> Router {
    Router::new().fallback(handle).with_state((api, Arc::new(admission)))
}

type Shared = (Arc<Api>, Arc<Admission>);

async fn handle(State((api, admission)): State<Shared>, request: Request<Body>) -> Response {
    // The request runs in its own task, so that a client which goes away cannot cut a start in
    // half.
    let task = tokio::spawn(async move { answer(&api, &admission, request).await });
    match task.await {
        Ok(response) => response,
        Err(error) => refused(&ApiError::Internal(error.to_string())),
    }
}

async fn answer(api: &Api, admission: &Admission, request: Request<Body>) -> Response {
    let (operation, body) = match admit(admission, request, api.engine.now_ms()).await {
        Ok(admitted) => admitted,
        Err(error) => return refused(&error),
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

/// Returns the operation and the body of a request that is accepted.
async fn admit(
    admission: &Admission,
    request: Request<Body>,
    now_ms: u64,
) -> Result<(String, Bytes), ApiError> {
    let (head, body) = request.into_parts();
    let operation = operation(&head)?.to_owned();
    match admission {
        Admission::Loopback => {
            check_host(&head)?;
            Ok((operation, read(body).await?))
        }
        Admission::Signed(keys) => {
            // The body is read only after the header is accepted, so a stranger cannot send a large
            // one.
            let claim = Claim::read(&head.headers, SERVICE, keys, now_ms)?;
            let body = read(body).await?;
            claim.verify(&head, &body, keys)?;
            Ok((operation, body))
        }
    }
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    let refused = |text: String| Err(ApiError::Serialization(text));
    match tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_BYTES)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => {
            refused(format!("The request has more than {BODY_BYTES} bytes, or broke off."))
        }
        Err(_) => refused("The request took too long.".to_owned()),
    }
}

/// Returns the operation that the header names.
fn operation(head: &Parts) -> Result<&str, ApiError> {
    let target = head
        .headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok())
        .filter(|_| head.method == Method::POST);
    let operation = target.and_then(|target| target.strip_prefix("SageMaker."));
    operation.ok_or_else(|| {
        let target = target.unwrap_or_default().chars().take(80).collect::<String>();
        ApiError::UnknownOperation(format!(
            "Expected POST with a header 'X-Amz-Target: SageMaker.OPERATION', not '{target}'. This is the API of SageMaker pipelines."
        ))
    })
}

fn check_host(head: &Parts) -> Result<(), ApiError> {
    let host = head.headers.get(HOST).and_then(|value| value.to_str().ok());
    match host.filter(|host| !is_loopback(host)) {
        None => Ok(()),
        Some(host) => {
            let shown: String = host.chars().take(80).collect();
            Err(ApiError::validation(format!("Host '{shown}' is not a loopback name.")))
        }
    }
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
    // The service model spells the member differently for these.
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
    fn a_name_that_others_could_point_here_is_not_loopback() {
        for host in ["127.0.0.1:4000", "localhost", "[::1]:4000", "sagemaker.localhost:1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["evil.example:4000", "localhost.evil.example", "10.0.0.1", "", "[::2]:1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
