//! AWS JSON 1.1 over HTTP: `POST /` with the operation in a header.
//!
//! An [`Admission`] decides which requests are accepted: on loopback all from this machine,
//! elsewhere those that are signed. Without signatures pages in a browser are kept out as well.
//! Requests that a browser says are of a page, or whose `Host` is no loopback name, are refused.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use sidestep_admission::{AccessKeys, Answer, Claim, Gate, Limits, check_origin};
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::api::Api;
use crate::error::ApiError;

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
    let (limits, never) = (Limits::default(), std::future::pending());
    let answer = answering(api, admission);
    sidestep_admission::serve(listener, limits, Gate::ajar(), answer, never).await
}

/// Returns the API for a server that has others, too.
pub fn answering(api: Arc<Api>, admission: Admission) -> Answer {
    let router = router(api, admission);
    Arc::new(move |request| {
        let router = router.clone();
        Box::pin(async move {
            let Ok(response) = router.oneshot(request).await;
            response
        })
    })
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
    if let Some(others) = &api.others
        && let Some((status, answer)) = others.answer(&operation, &body).await
    {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return respond(status, &answer);
    }
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
            check_origin(&head.headers).map_err(|error| ApiError::validation(error.to_string()))?;
            Ok((operation, read(body).await?))
        }
        Admission::Signed(keys) => {
            // The body is read only after the header is accepted, so a stranger cannot send a large
            // one.
            let claim = Claim::read(&head, SERVICE, keys, now_ms)?;
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
