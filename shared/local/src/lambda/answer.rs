//! The host's answers to a runtime: the headers of an event, and the verdict on a response.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;
use sidestep_core::failure::FailureType;

use super::body::ReadBody;
use super::function::FunctionError;
use super::invocation::{Failure, Invocation};
use super::limits::RESPONSE_PAYLOAD_BYTES;
use super::runtime_api::RuntimeReply;
use super::runtime_json;

/// Judges the body of a response: returns the invocation's result, and the reply to the runtime.
pub(super) fn response(request_id: &str, body: ReadBody) -> (Result<Bytes, Failure>, RuntimeReply) {
    let body = match body {
        ReadBody::Complete(body) if body.is_empty() => Bytes::from_static(b"null"),
        ReadBody::Complete(body) => body,
        ReadBody::TooLarge(bytes) => {
            return (Err(response_too_large(bytes)), RuntimeReply::TooLarge);
        }
    };
    let result = match serde_json::from_slice::<IgnoredAny>(&body) {
        Ok(_) => Ok(body),
        Err(error) => {
            let message = match runtime_json::not_a_number(&body) {
                Some((path, word)) => not_a_number(&path, word),
                None => format!("The response is not valid JSON: {error}"),
            };
            Err(Failure::platform(FailureType::RuntimeInvalidResponse, request_id, &message))
        }
    };
    (result, RuntimeReply::Accepted)
}

/// Says which value of a response is a number that JSON does not have.
fn not_a_number(path: &str, word: &str) -> String {
    let value = if path.is_empty() { "it".to_owned() } else { format!("`{path}`") };
    format!(
        "The response is not valid JSON: {value} is {word}, which JSON cannot hold; see \
         docs/errors/{}.md",
        FailureType::RuntimeInvalidResponse
    )
}

/// Returns the failure of an invocation whose response is over Lambda's limit.
pub(super) fn response_too_large(bytes: usize) -> Failure {
    let message = format!(
        "Response payload size ({bytes} bytes) exceeded maximum allowed payload size \
         ({RESPONSE_PAYLOAD_BYTES} bytes)."
    );
    Failure::new(&FunctionError::new(FailureType::ResponseSizeTooLarge, message))
}

/// Takes an error document of the runtime as it is if it is JSON, and as a message otherwise.
pub(super) fn error(error_type: Option<String>, body: ReadBody) -> Failure {
    let unknown = || String::from(FailureType::RuntimeUnknown);
    match body {
        ReadBody::Complete(body) => match runtime_json::parse(&body) {
            Ok(document @ Value::Object(_)) => Failure {
                // `lambda_runtime` puts `unhandled` into the header for every error.
                error_type: document["errorType"]
                    .as_str()
                    .map(ToOwned::to_owned)
                    .or(error_type)
                    .unwrap_or_else(unknown),
                payload: match runtime_json::without_surrogates(&body) {
                    Cow::Borrowed(_) => body,
                    Cow::Owned(replaced) => replaced.into(),
                },
                is_shutdown: false,
            },
            _ => Failure::new(&FunctionError::new(
                error_type.unwrap_or_else(unknown),
                String::from_utf8_lossy(&body),
            )),
        },
        ReadBody::TooLarge(bytes) => response_too_large(bytes),
    }
}

/// Returns the headers of `next`'s answer. The deadline counts from now on.
pub(super) fn event_headers(
    invocation: &Invocation,
    timeout: Duration,
) -> Vec<(&'static str, String)> {
    let deadline = SystemTime::now() + timeout;
    let deadline_ms =
        deadline.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let mut headers = vec![
        ("lambda-runtime-aws-request-id", invocation.request_id.to_string()),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", invocation.function.arn.clone()),
        ("lambda-runtime-trace-id", invocation.trace_id.clone()),
    ];
    if let Some(client_context) = &invocation.client_context {
        headers.push(("lambda-runtime-client-context", client_context.clone()));
    }
    headers
}
