//! Asks the guard in front of a service.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{Method, Request, Response};
use sidestep_admission::{Answer, Service};
use sidestep_aws::asked::{Asked, Place, asked};

use super::answer::denied;
use super::guards::Guards;
use crate::account::{ACCOUNT_ID, REGION};

/// More than any request of these services has: they refuse smaller ones in their own words.
const BODY_BYTES: usize = 64 << 20;

/// Returns a service that answers only what its callers may ask for.
pub(crate) fn in_front(service: Service, guards: Guards, answer: Answer) -> Answer {
    Arc::new(move |request| {
        let (guards, answer) = (guards.clone(), answer.clone());
        Box::pin(async move {
            match admitted(service, &guards, request).await {
                Ok(admitted) => answer(admitted).await,
                Err(refused) => refused,
            }
        })
    })
}

async fn admitted(
    service: Service,
    guards: &Guards,
    request: Request<Body>,
) -> Result<Request<Body>, Response<Body>> {
    if guards.is_empty() || guards.caller(request.extensions(), None).is_none() {
        return Ok(request);
    }
    let (head, body) = request.into_parts();
    // A body that breaks off is an empty one, which the service refuses.
    let bytes = to_bytes(body, BODY_BYTES).await.unwrap_or_default();
    let of_request = || of_request(service, &head, &bytes);
    match guards.refusal(&head.extensions, None, of_request).await {
        Some(message) => Err(denied(service, &message)),
        None => Ok(Request::from_parts(head, Body::from(bytes))),
    }
}

/// Returns what a request asks for. What the service does not know it refuses by itself.
fn of_request(service: Service, head: &Parts, body: &[u8]) -> Vec<Asked> {
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let by_target =
        target.and_then(|target| target.split_once('.')).map(|(_, operation)| operation);
    let (name, operation) = match service {
        Service::DynamoDb => ("DynamoDB", by_target),
        Service::Sqs => ("SQS", by_target),
        Service::Lambda => ("Lambda", of_lambda(head)),
        _ => return Vec::new(),
    };
    let Some(operation) = operation else { return Vec::new() };
    let place = Place { region: REGION.to_owned(), account_id: ACCOUNT_ID.to_owned() };
    asked(&place, name, operation, &head.uri.to_string(), body)
}

/// Returns the operation of a request to Lambda.
fn of_lambda(head: &Parts) -> Option<&'static str> {
    let path = head.uri.path().trim_end_matches('/');
    match (&head.method, path) {
        (&Method::POST, path) if path.ends_with("/invocations") => Some("Invoke"),
        (&Method::GET, path) if path.ends_with("/configuration") => {
            Some("GetFunctionConfiguration")
        }
        (&Method::GET, path) if path.ends_with("/functions") => Some("ListFunctions"),
        (&Method::GET, _) => Some("GetFunction"),
        _ => None,
    }
}
