//! Tells apart what reaches the planner: S3 notifications, Lambda's destination records, and calls
//! of the planner by itself and by steps.
//!
//! Nothing here trusts an event. Unknown shapes and foreign keys are [`PlannerEvent::Ignored`] with
//! the reason. They are never an error, because an error would make the platform deliver them
//! again.

pub mod batch;
#[cfg(test)]
mod fixture;
mod lenient;
pub mod s3;
pub mod schedule;
pub mod sqs;
pub mod trigger;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::definition::expression::type_name;
use crate::event::batch::WindowId;
use crate::event::s3::{CreatedObject, created_objects};
use crate::execution::commit::Failure;
use crate::execution::invocation::{COMMITTED, Invocation, MANIFEST_NAME, REPORTED, RESERVED_KEY};
use crate::execution::manifest::Manifest;
use crate::failure::FailureType;
use crate::name::{ExecutionId, PipelineName, StepName};
use crate::uri::S3Uri;

/// An event that reached the planner.
#[derive(Debug, Clone, PartialEq)]
pub enum PlannerEvent {
    /// An attempt's manifest lies in S3.
    ManifestCreated(ManifestKey),
    /// Lambda says how an asynchronous invocation of a step function ended.
    Ended { invocation: Invocation, result: Result<Map<String, Value>, Failure> },
    /// A step left its result in the planner's queue.
    Reported { invocation: Invocation, manifest: Manifest },
    /// A step committed its result itself.
    CommittedDirectly(ExecutionId),
    /// The sweep is due: it looks for executions whose messages were lost.
    Sweep,
    /// A time that an execution waits for has come, or will come at `at_ms`.
    Wake { execution_id: ExecutionId, at_ms: u64 },
    /// A window of a batch trigger has ended, or will end.
    WindowEnded(WindowId),
    /// Nothing that the planner has to handle, and why.
    Ignored(String),
}

/// The key of a manifest, `runs/PIPELINE/EXECUTION/STEP/ATTEMPT/manifest.json`, and its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestKey {
    pub uri: S3Uri,
    pub pipeline_name: PipelineName,
    pub execution_id: ExecutionId,
    pub step_name: StepName,
    pub attempt_count: u32,
}

/// The result that a step leaves in the planner's queue.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delivery {
    invocation: Invocation,
    manifest: Manifest,
}

/// A call of the planner at a time that an execution waits for.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WakeCall {
    execution_id: ExecutionId,
    at_ms: u64,
}

/// A call of the planner at the end of a batch trigger's window.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WindowCall {
    window: String,
}

/// Lambda's record of an asynchronous invocation, without its two payloads. The payloads are a
/// step's own data and may be large, so they are read in place.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DestinationRecord {
    #[serde(deserialize_with = "lenient::nested")]
    request_context: RequestContext,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RequestContext {
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

/// Returns the event by which a step leaves its result to the planner.
pub fn report_event(invocation: &Invocation, manifest: &Manifest) -> Value {
    let (invocation, manifest) = (invocation.clone(), manifest.clone());
    json!({ "Report": Delivery { invocation, manifest } })
}

/// Reads an event of any kind. One event of S3 or of a queue can say several things.
pub fn planner_events(event: &Value) -> Vec<PlannerEvent> {
    if event.get("Sweep").is_some() {
        return vec![PlannerEvent::Sweep];
    }
    if let Some(wake) = event.get("Wake") {
        return vec![match lenient::object(wake) {
            Some(WakeCall { execution_id, at_ms }) => PlannerEvent::Wake { execution_id, at_ms },
            None => PlannerEvent::Ignored("a wake-up call without execution or time".to_owned()),
        }];
    }
    if let Some(report) = event.get("Report") {
        let read = Delivery::deserialize(report);
        return vec![match read {
            Ok(Delivery { invocation, manifest }) => {
                PlannerEvent::Reported { invocation, manifest }
            }
            Err(error) => PlannerEvent::Ignored(format!("a report that cannot be read: {error}")),
        }];
    }
    if let Some(batch) = event.get("Batch") {
        let call: Option<WindowCall> = lenient::object(batch);
        return vec![match call.and_then(|call| WindowId::parse(&call.window)) {
            Some(id) => PlannerEvent::WindowEnded(id),
            None => PlannerEvent::Ignored("a call for a window without its name".to_owned()),
        }];
    }
    if event.get("requestContext").is_some() {
        return match redriven(event) {
            Some(event) => planner_events(event),
            None => vec![destination(event)],
        };
    }
    let objects = match created_objects(event) {
        Ok(objects) => objects,
        Err(why) => return vec![PlannerEvent::Ignored(why)],
    };
    let manifest = |object: &CreatedObject| match manifest_key(&object.bucket, &object.key) {
        Some(key) => PlannerEvent::ManifestCreated(key),
        None => PlannerEvent::Ignored(format!("`{}` is not the key of a manifest", object.key)),
    };
    objects.iter().map(manifest).collect()
}

/// Reads the key of a manifest; `None` for any other key.
pub fn manifest_key(bucket: &str, key: &str) -> Option<ManifestKey> {
    let parts: Vec<_> = key.split('/').collect();
    let ["runs", pipeline, execution, step, attempt, MANIFEST_NAME] = parts.as_slice() else {
        return None;
    };
    Some(ManifestKey {
        uri: S3Uri::new(bucket, key),
        pipeline_name: PipelineName::parse(pipeline).ok()?,
        execution_id: ExecutionId::parse(execution).ok()?,
        step_name: StepName::parse(step).ok()?,
        attempt_count: attempt.parse().ok().filter(|_| !attempt.starts_with(['0', '+']))?,
    })
}

/// Returns the planner's own event if `record` is a dead letter of the planner that was sent again.
fn redriven(record: &Value) -> Option<&Value> {
    let event = &record["requestPayload"];
    let is_event = ["Records", "detail-type", "Sweep", "Wake", "Batch", "Report"]
        .iter()
        .any(|key| event.get(key).is_some());
    // The arguments of a step function may have any names, so its record can look like an event.
    (is_event && event.get(RESERVED_KEY).is_none() && event.get("requestContext").is_none())
        .then_some(event)
}

/// Reads Lambda's record of an asynchronous invocation
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>).
fn destination(record: &Value) -> PlannerEvent {
    let Ok(invocation) = Invocation::deserialize(&record["requestPayload"][RESERVED_KEY]) else {
        let why = "the record of an invocation that sidestep did not make";
        return PlannerEvent::Ignored(why.to_owned());
    };
    let DestinationRecord { request_context } = lenient::object(record).unwrap_or_default();
    let payload = &record["responsePayload"];
    if request_context.condition == "Success" {
        return succeeded(invocation, payload);
    }
    let failure = failure(&request_context.condition, payload);
    PlannerEvent::Ended { invocation, result: Err(failure) }
}

/// Returns the event of an invocation whose function returned `payload`.
fn succeeded(invocation: Invocation, payload: &Value) -> PlannerEvent {
    let mark = &payload[RESERVED_KEY];
    if mark[COMMITTED] == true {
        return PlannerEvent::CommittedDirectly(invocation.execution_id);
    }
    // A function that wrote a manifest says so: the manifest's own event is the report.
    if mark["Manifest"].is_string() {
        return PlannerEvent::Ignored("the manifest reports this attempt".to_owned());
    }
    if mark[REPORTED] == true {
        return PlannerEvent::Ignored("the planner's queue has this attempt's result".to_owned());
    }
    let result = match payload {
        Value::Object(outputs) => Ok(outputs.clone()),
        Value::Null => Ok(Map::new()),
        other => {
            let found = type_name(other);
            let message = format!("the function returned {found}, not a JSON object");
            Err(Failure::new(FailureType::OutputNotObject, message))
        }
    };
    PlannerEvent::Ended { invocation, result }
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
    use crate::event::fixture::notification;

    #[test]
    fn a_result_in_the_queue_reads_back_and_its_answer_is_no_second_report() {
        let invocation: Invocation = serde_json::from_value(json!({
            "ExecutionId": ExecutionId::from_bytes([7; 16]), "PipelineName": "p", "StepName": "S",
            "AttemptCount": 2, "OutputPrefix": "s3://bucket/runs/p/e/S/2/", "Token": "t",
            "DeadlineMs": 9}))
        .expect("an invocation");
        let manifest: Manifest = serde_json::from_value(json!({
            "Version": 1, "Token": "t", "Outputs": {"Text": "ü"}, "Artifacts": [],
            "StartedAtMs": 1, "DurationMs": 2}))
        .expect("a manifest");
        let event = report_event(&invocation, &manifest);
        let reported = PlannerEvent::Reported { invocation: invocation.clone(), manifest };
        assert_eq!(planner_events(&event), std::slice::from_ref(&reported));
        let dead_letter = json!({"requestContext": {"condition": "RetriesExhausted"},
            "requestPayload": event});
        assert_eq!(planner_events(&dead_letter), [reported], "sent again");
        let answer = json!({"requestContext": {"condition": "Success"},
            "requestPayload": {RESERVED_KEY: invocation},
            "responsePayload": {"Text": "ü", RESERVED_KEY: {REPORTED: true}}});
        assert!(matches!(planner_events(&answer)[..], [PlannerEvent::Ignored(_)]));
        for report in [json!(null), json!({"Invocation": {}}), json!([1])] {
            let told = planner_events(&json!({"Report": report}));
            assert!(matches!(told[..], [PlannerEvent::Ignored(_)]), "{told:?}");
        }
    }

    #[test]
    fn a_call_for_a_window_names_it() {
        let id = WindowId::of("t", 60, 120_500);
        let call = json!({"Batch": {"Window": id, "AtMs": 1}});
        assert_eq!(planner_events(&call), [PlannerEvent::WindowEnded(id)]);
        for batch in [json!(null), json!({"Window": "../x"}), json!([])] {
            let told = planner_events(&json!({"Batch": batch}));
            assert!(matches!(told[..], [PlannerEvent::Ignored(_)]), "{told:?}");
        }
    }

    #[test]
    fn a_manifests_event_names_the_attempt() {
        let key = "runs/flights/abcdefghijkl/Train/2/manifest.json";
        let events = planner_events(&notification(key));
        let [PlannerEvent::ManifestCreated(found)] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!((found.step_name.as_str(), found.attempt_count), ("Train", 2));
    }

    #[test]
    fn foreign_keys_and_shapes_are_ignored_with_a_reason() {
        let keys = [
            "runs/flights/abcdefghijkl/Train/2/model.bin",
            "runs/flights/abcdefghijkl/../2/manifest.json",
            "runs/flights/abcdefghijkl/Train/02/manifest.json",
            "runs/flights/SHORT/Train/2/manifest.json",
            "x",
        ];
        let mut events: Vec<_> = keys.iter().map(|key| notification(key)).collect();
        events.push(json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}));
        events.extend([json!(null), json!([1]), json!("x"), json!({"requestContext": 1})]);
        for event in events {
            let told = planner_events(&event);
            assert!(told.iter().all(|told| matches!(told, PlannerEvent::Ignored(_))), "{event}");
        }
        let removed = json!({"Records": [{"eventName": "ObjectRemoved:Delete"}, {"s3": 1}, 7]});
        assert_eq!(planner_events(&removed), []);
    }

    #[test]
    fn a_dead_letter_of_the_planner_is_the_event_that_it_failed_on() {
        let key = "runs/flights/abcdefghijkl/Train/2/manifest.json";
        let record = |payload: Value| {
            json!({"version": "1.0", "requestContext": {"condition": "RetriesExhausted"},
                "requestPayload": payload, "responsePayload": {"errorType": FailureType::Engine.as_str()}})
        };
        let events = planner_events(&record(notification(key)));
        assert!(matches!(events[..], [PlannerEvent::ManifestCreated(_)]), "{events:?}");
        let nested = planner_events(&record(record(notification(key))));
        assert!(matches!(nested[..], [PlannerEvent::Ignored(_)]), "{nested:?}");
        let arguments = json!({"Records": [], "Sidestep": {"ExecutionId": "abcdefghijkl"}});
        let events = planner_events(&record(arguments));
        assert!(matches!(events[..], [PlannerEvent::Ignored(_)]), "{events:?}");
    }

    #[test]
    fn a_destination_record_says_how_the_attempt_ended() {
        let invocation = json!({"ExecutionId": "abcdefghijkl", "PipelineName": "p", "StepName": "S",
            "AttemptCount": 1, "OutputPrefix": "s3://bucket/runs/p/abcdefghijkl/S/1/", "Token": "t",
            "DeadlineMs": 5});
        let record = |condition: &str, payload: Value| {
            json!({"version": "1.0", "requestContext": {"condition": condition},
                "requestPayload": {"k": 5, "Sidestep": invocation}, "responsePayload": payload})
        };
        let result = |condition, payload| match &planner_events(&record(condition, payload))[..] {
            [PlannerEvent::Ended { result, .. }] => Some(result.clone()),
            _ => None,
        };
        let outputs = result("Success", json!({"rows": 3})).expect("ended").expect("succeeded");
        assert_eq!(outputs["rows"], 3);
        assert_eq!(result("Success", json!({"Sidestep": {"Manifest": "s3://b/m"}})), None);
        let failure =
            |payload| result("RetriesExhausted", payload).expect("ended").expect_err("failed");
        let named = failure(json!({"errorType": "Sandbox.Timedout", "errorMessage": "timed out"}));
        assert_eq!(
            (named.error_type.as_str(), named.message.as_str()),
            ("Sandbox.Timedout", "timed out")
        );
        assert_eq!(failure(json!(null)).failure_type(), Some(FailureType::FunctionError));
        assert!(result("Success", json!([1])).expect("ended").is_err());
    }
}
