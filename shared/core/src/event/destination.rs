//! Reads Lambda's records of asynchronous invocations
//! (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>).
//!
//! The event of a function without a step SDK does not prove which attempt it belongs to, and a
//! plain one does not even say it. Such a record is told by its request id: see
//! [`RequestRecord`](crate::execution::invocation::RequestRecord).

use serde::Deserialize;
use serde_json::{Value, json};

use crate::event::lenient;
use crate::execution::commit::Failure;
use crate::execution::invocation::{COMMITTED, Invocation, REPORTED, RESERVED_KEY};
use crate::failure::FailureType;
use crate::name::ExecutionId;

/// The key of the call by which the planner reads a record again.
pub(super) const UNMATCHED: &str = "Unmatched";

/// The keys of which each event of the planner has one.
const OWN_KEYS: [&str; 7] =
    ["Records", "detail-type", "Sweep", "Wake", "Batch", "Report", UNMATCHED];

/// How an asynchronous invocation of a step function ended.
#[derive(Debug, Clone, PartialEq)]
pub struct InvocationEnd {
    pub of: Of,
    /// What the function returned, or how it failed.
    pub result: Result<Value, Failure>,
}

/// What tells the attempt that an invocation belongs to.
#[derive(Debug, Clone, PartialEq)]
pub enum Of {
    /// The event that the function got, with the attempt's token.
    Event(Box<Invocation>),
    /// The invocation's request id, which its invoker recorded.
    Request(Box<Request>),
}

/// An invocation that is known by its request id.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub id: String,
    /// The function that Lambda says it ran.
    pub function_arn: String,
    /// How often the id was looked up in vain before.
    pub tries: u32,
    /// The planner's own event, if the record may be a dead letter of the planner that was sent
    /// again. It is one only if the id is unknown, because a step's arguments can look the same.
    pub own_event: Option<Value>,
    /// The record without the function's event.
    record: Value,
}

impl Request {
    /// Returns the event by which the planner reads the record again.
    pub fn again(&self) -> Value {
        json!({ UNMATCHED: { "Tries": self.tries + 1, "Record": self.record } })
    }
}

/// What a record tells.
#[derive(Debug)]
pub(super) enum Told {
    Ended(InvocationEnd),
    /// The step committed its result itself.
    Committed(ExecutionId),
    /// Nothing that the planner has to handle, and why.
    Nothing(&'static str),
}

/// Lambda's record without its two payloads. The payloads are a step's own data and may be large,
/// so they are read in place.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DestinationRecord {
    #[serde(deserialize_with = "lenient::nested")]
    request_context: RequestContext,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestContext {
    #[serde(deserialize_with = "lenient::plain")]
    request_id: String,
    #[serde(deserialize_with = "lenient::plain")]
    function_arn: String,
    /// `Success`, `RetriesExhausted` or `EventAgeExceeded`.
    #[serde(deserialize_with = "lenient::plain")]
    condition: String,
}

/// The response payload of an invocation that failed.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ErrorDocument {
    #[serde(deserialize_with = "lenient::plain")]
    error_type: Option<String>,
    #[serde(deserialize_with = "lenient::plain")]
    error_message: Option<String>,
}

/// A record that is read again.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Unmatched {
    #[serde(deserialize_with = "lenient::plain")]
    tries: u32,
    record: Value,
}

/// Reads a record.
pub(super) fn told(record: &Value) -> Told {
    let DestinationRecord { request_context } = lenient::object(record).unwrap_or_default();
    let payload = &record["responsePayload"];
    let reserved = &record["requestPayload"][RESERVED_KEY];
    let is_success = request_context.condition == "Success";
    let result = if is_success {
        Ok(payload.clone())
    } else {
        Err(failure(&request_context.condition, payload))
    };
    let Ok(invocation) = Invocation::deserialize(reserved) else {
        return by_request(record, request_context, result);
    };
    let mark = &payload[RESERVED_KEY];
    if is_success && mark[COMMITTED] == true {
        return Told::Committed(invocation.execution_id);
    }
    // A function that wrote a manifest says so: the manifest's own event is the report.
    if is_success && mark["Manifest"].is_string() {
        return Told::Nothing("the manifest reports this attempt");
    }
    if is_success && mark[REPORTED] == true {
        return Told::Nothing("the planner's queue has this attempt's result");
    }
    Told::Ended(InvocationEnd { of: Of::Event(Box::new(invocation)), result })
}

/// Reads a record that was looked up in vain before.
pub(super) fn told_again(call: &Value) -> Told {
    let Unmatched { tries, record } = lenient::object(call).unwrap_or_default();
    match told(&record) {
        Told::Ended(InvocationEnd { of: Of::Request(request), result }) => {
            let of = Of::Request(Box::new(Request { tries, ..*request }));
            Told::Ended(InvocationEnd { of, result })
        }
        told => told,
    }
}

/// Returns the end of an invocation whose event holds no token.
fn by_request(record: &Value, context: RequestContext, result: Result<Value, Failure>) -> Told {
    let RequestContext { request_id: id, function_arn, condition } = context;
    let own_event = own_event(&record["requestPayload"]).cloned();
    if id.is_empty() && own_event.is_none() {
        return Told::Nothing("the record of an invocation without a request id");
    }
    let record = json!({
        "requestContext": { "requestId": id, "functionArn": function_arn, "condition": condition },
        "responsePayload": record["responsePayload"],
    });
    let request = Request { id, function_arn, tries: 0, own_event, record };
    Told::Ended(InvocationEnd { of: Of::Request(Box::new(request)), result })
}

/// Returns the event of a function if it could be one of the planner.
fn own_event(event: &Value) -> Option<&Value> {
    let is_own = OWN_KEYS.iter().any(|key| event.get(key).is_some());
    let is_of_a_step = event.get(RESERVED_KEY).is_some() || event.get("requestContext").is_some();
    (is_own && !is_of_a_step).then_some(event)
}

/// Returns the failure that an error document describes, or that Lambda's condition names.
fn failure(condition: &str, payload: &Value) -> Failure {
    let ErrorDocument { error_type, error_message } = lenient::object(payload).unwrap_or_default();
    let unnamed = match condition {
        "EventAgeExceeded" => FailureType::EventAgeExceeded,
        _ => FailureType::FunctionError,
    };
    Failure {
        error_type: error_type.unwrap_or_else(|| unnamed.into()),
        message: error_message
            .unwrap_or_else(|| format!("Lambda reports `{condition}` without a message")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(condition: &str, event: &Value, payload: &Value) -> Value {
        json!({"version": "1.0", "requestContext": {"condition": condition, "requestId": "r",
            "functionArn": "arn:f"}, "requestPayload": event, "responsePayload": payload})
    }

    fn with_token() -> Value {
        json!({"k": 5, "Sidestep": {"ExecutionId": "abcdefghijkl", "PipelineName": "p",
            "StepName": "S", "AttemptCount": 1, "Token": "t", "DeadlineMs": 5,
            "OutputPrefix": "s3://bucket/runs/p/abcdefghijkl/S/1/"}})
    }

    fn ended(told: Told) -> Option<InvocationEnd> {
        match told {
            Told::Ended(end) => Some(end),
            _ => None,
        }
    }

    #[test]
    fn a_destination_record_says_how_the_attempt_ended() {
        let result = |condition, payload| {
            ended(told(&record(condition, &with_token(), &payload))).map(|end| end.result)
        };
        assert_eq!(result("Success", json!({"rows": 3})), Some(Ok(json!({"rows": 3}))));
        assert_eq!(result("Success", json!([1])), Some(Ok(json!([1]))), "the step decides");
        assert_eq!(result("Success", json!({"Sidestep": {"Manifest": "s3://b/m"}})), None);
        assert_eq!(result("Success", json!({"Sidestep": {REPORTED: true}})), None);
        let failure =
            |payload| result("RetriesExhausted", payload).expect("ended").expect_err("failed");
        let named = failure(json!({"errorType": "Sandbox.Timedout", "errorMessage": "timed out"}));
        assert_eq!(
            (named.error_type.as_str(), named.message.as_str()),
            ("Sandbox.Timedout", "timed out")
        );
        assert_eq!(failure(json!(null)).failure_type(), Some(FailureType::FunctionError));
    }

    #[test]
    fn a_record_without_a_token_is_told_by_its_request_id_and_trusts_no_mark() {
        let mut hidden = with_token();
        hidden["Sidestep"].as_object_mut().expect("an object").remove("Token");
        let answer = json!({"Sidestep": {COMMITTED: true, "Manifest": "s3://b/m"}});
        for event in [json!({"k": 5}), hidden] {
            let end = ended(told(&record("Success", &event, &answer))).expect("it ended");
            let Of::Request(request) = &end.of else { panic!("{end:?}") };
            assert_eq!((request.id.as_str(), request.function_arn.as_str()), ("r", "arn:f"));
            assert_eq!((&end.result, request.tries), (&Ok(answer.clone()), 0));
            let again = ended(told_again(&request.again()[UNMATCHED])).expect("it ended");
            let Of::Request(second) = &again.of else { panic!("{again:?}") };
            assert_eq!((second.id.as_str(), second.tries), ("r", 1));
            assert_eq!(again.result, end.result);
            assert!(!request.again().to_string().contains("\"k\""), "the event is left out");
        }
    }

    #[test]
    fn a_dead_letter_of_the_planner_is_found_only_if_the_request_is_unknown() {
        let own = |event: Value| {
            let end = ended(told(&record("RetriesExhausted", &event, &json!({}))))?;
            match end.of {
                Of::Request(request) => request.own_event,
                Of::Event(_) => None,
            }
        };
        for event in [json!({"Records": []}), json!({"Sweep": {}}), json!({UNMATCHED: {}})] {
            assert_eq!(own(event.clone()), Some(event));
        }
        let nested = record("RetriesExhausted", &json!({"Records": []}), &json!({}));
        assert_eq!(own(nested), None);
        assert_eq!(own(json!({"Records": [], "Sidestep": {}})), None);
        assert_eq!(own(json!({"k": 5})), None);
    }
}
