//! Records of asynchronous invocations, and their delivery to destinations.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use sidestep_core::failure::FailureType;
use time::OffsetDateTime;

use super::function::{Destination, FunctionError};
use super::invocation::{Failure, Invocation, InvocationType, InvokeRequest};
use super::limits::EVENT_PAYLOAD_BYTES;
use super::log::TIMESTAMP;
use super::runtime_json;
use super::shared::Shared;

/// Why a record is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InvocationRecord<'a> {
    version: &'static str,
    timestamp: String,
    request_context: RequestContext<'a>,
    request_payload: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: String,
    condition: Condition,
    approximate_invoke_count: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext {
    status_code: u16,
    executed_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'static str>,
}

/// Makes the record of an invocation after `attempts`.
///
/// `last_result` is the result of the last attempt, if there was any.
pub(super) fn record(
    invocation: &Invocation,
    condition: Condition,
    attempts: u32,
    last_result: Option<&Result<Bytes, Failure>>,
) -> Value {
    let record = InvocationRecord {
        version: "1.0",
        timestamp: OffsetDateTime::now_utc().format(TIMESTAMP).unwrap_or_default(),
        request_context: RequestContext {
            request_id: &invocation.request_id,
            function_arn: format!("{}:$LATEST", invocation.function.arn),
            condition,
            approximate_invoke_count: attempts,
        },
        request_payload: parse(&invocation.payload),
        response_context: last_result.map(|result| ResponseContext {
            status_code: 200,
            executed_version: "$LATEST",
            function_error: result.is_err().then_some("Unhandled"),
        }),
        response_payload: last_result.map(|result| match result {
            Ok(payload) => parse(payload),
            Err(failure) => parse(&failure.payload),
        }),
    };
    serde_json::to_value(record).expect("a record has string keys only")
}

/// Hands the record to the function's destination for `condition`, if it has one.
///
/// As on Lambda the record is handed over once, and dropped and counted if its function is unknown.
/// Lambda also drops a record that is over the limit of an event, so that a planner that waits for
/// it waits for ever. Here the invocation is then recorded as failed, with the sizes, so that a
/// laptop shows what would be lost on AWS.
pub(super) fn deliver(
    shared: &Arc<Shared>,
    invocation: &Invocation,
    record: Value,
    condition: Condition,
) {
    let (record, condition) = within_limit(invocation, shortened(record), condition);
    let config = &invocation.function.config;
    let destination = match condition {
        Condition::Success => &config.on_success,
        Condition::RetriesExhausted | Condition::EventAgeExceeded => &config.on_failure,
    };
    match destination {
        None => {}
        Some(Destination::Sink(sink)) => sink(record),
        Some(Destination::Function(name)) => {
            let request = InvokeRequest {
                function: name.to_string(),
                payload: record.to_string().into(),
                invocation_type: InvocationType::Event,
                client_context: None,
                trace_id: Some(invocation.trace_id.clone()),
                attempt: None,
            };
            if let Err(error) = shared.accept_record(request) {
                shared.metrics.update(|counts| counts.destination_delivery_failures += 1);
                let error = &error as &dyn std::error::Error;
                tracing::warn!(function = %config.name, destination = %name, error, "could not deliver a record, which is lost");
            }
        }
    }
}

/// Shortens the message of a failure whose record is too large, so that its type arrives.
fn shortened(mut record: Value) -> Value {
    /// As much of a message as is of use to a reader.
    const MESSAGE_CHARS: usize = 4_096;
    if record.to_string().len() <= EVENT_PAYLOAD_BYTES {
        return record;
    }
    if record["responseContext"]["functionError"].is_string()
        && let Some(message) = record["responsePayload"]["errorMessage"].as_str()
    {
        let message: String = message.chars().take(MESSAGE_CHARS).collect();
        let error_type = record["responsePayload"]["errorType"].take();
        record["responsePayload"] = json!({ "errorType": error_type, "errorMessage": message });
    }
    record
}

/// Replaces a record that is too large to be delivered by that of a failure.
fn within_limit(
    invocation: &Invocation,
    record: Value,
    condition: Condition,
) -> (Value, Condition) {
    let bytes = record.to_string().len();
    if bytes <= EVENT_PAYLOAD_BYTES {
        return (record, condition);
    }
    let attempts = record["requestContext"]["approximateInvokeCount"]
        .as_u64()
        .and_then(|attempts| u32::try_from(attempts).ok())
        .unwrap_or(1);
    let message = format!(
        "the result and the event have {bytes} bytes together, over the {EVENT_PAYLOAD_BYTES} that \
         Lambda passes on; write what is large to S3 and return its URI"
    );
    let failure = Failure::new(&FunctionError::new(FailureType::OutputTooLarge, message));
    let condition = Condition::RetriesExhausted;
    (self::record(invocation, condition, attempts, Some(&Err(failure))), condition)
}

/// Parses JSON. A text that nests too deeply for a tree is carried as a string.
fn parse(json: &[u8]) -> Value {
    runtime_json::parse(json)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(json).into_owned()))
}
