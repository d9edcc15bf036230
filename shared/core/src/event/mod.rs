//! What reaches the planner, told apart by shape: S3 notifications in both envelopes, Lambda's destination records, the sweep.
//!
//! Nothing here trusts an event: unknown shapes and foreign keys are [`PlannerEvent::Ignored`] with the reason, never an error, because an
//! error would make the platform deliver them again.

pub mod batch;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::event::batch::WindowId;
use crate::execution::commit::Failure;
use crate::execution::invocation::{COMMITTED, Invocation, MANIFEST_NAME, REPORTED, RESERVED_KEY};
use crate::execution::manifest::Manifest;
use crate::name::{ExecutionId, PipelineName, StepName};
use crate::uri::S3Uri;

/// Something the planner was told.
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
    /// Look after executions whose messages were lost.
    Sweep,
    /// A time has come that an execution waits for, or will have at `at_ms`.
    Wake { execution_id: ExecutionId, at_ms: u64 },
    /// A window of a batch trigger has ended, or will have.
    WindowEnded(WindowId),
    /// Nothing for the planner.
    Ignored(String),
}

/// Where a manifest lies: `runs/PIPELINE/EXECUTION/STEP/ATTEMPT/manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestKey {
    pub uri: S3Uri,
    pub pipeline_name: PipelineName,
    pub execution_id: ExecutionId,
    pub step_name: StepName,
    pub attempt_count: u32,
}

/// An object that S3 says was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedObject {
    pub bucket: String,
    /// Decoded.
    pub key: String,
    pub size: u64,
    pub etag: String,
    pub version_id: Option<String>,
    /// Orders the events of one key; used to tell uploads apart where there are no versions.
    pub sequencer: String,
    /// When it was created, in milliseconds since 1970, if the event says so.
    pub at_ms: Option<u64>,
}

/// What a step leaves in the planner's queue.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delivery {
    invocation: Invocation,
    manifest: Manifest,
}

/// The event by which a step leaves its result to the planner.
pub fn report_event(invocation: &Invocation, manifest: &Manifest) -> Value {
    let (invocation, manifest) = (invocation.clone(), manifest.clone());
    json!({ "Report": Delivery { invocation, manifest } })
}

/// Reads an event of any kind into what it says to the planner.
pub fn planner_events(event: &Value) -> Vec<PlannerEvent> {
    if event.get("Sweep").is_some() {
        return vec![PlannerEvent::Sweep];
    }
    if let Some(wake) = event.get("Wake") {
        let id = wake["ExecutionId"].as_str().and_then(|id| ExecutionId::parse(id).ok());
        return vec![match id.zip(wake["AtMs"].as_u64()) {
            Some((execution_id, at_ms)) => PlannerEvent::Wake { execution_id, at_ms },
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
        return vec![match batch["Window"].as_str().and_then(WindowId::parse) {
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

/// The objects that an S3 notification announces, in either envelope; `Err` says why it announces none.
///
/// Keys in S3's own notifications are form-encoded (`a b` arrives as `a+b`), keys in EventBridge events are not.
pub fn created_objects(event: &Value) -> Result<Vec<CreatedObject>, String> {
    if event["Event"] == "s3:TestEvent" {
        return Err("S3's test event".to_owned());
    }
    if event["detail-type"] == "Object Created" {
        let object =
            created_object(&event["detail"]["bucket"], &event["detail"]["object"], |key| {
                Some(key.to_owned())
            });
        let at_ms = milliseconds(&event["time"]);
        return object
            .map(|object| vec![CreatedObject { at_ms, ..object }])
            .ok_or_else(|| "an event without bucket or key".to_owned());
    }
    let Some(records) = event["Records"].as_array() else {
        return Err("not an event that sidestep knows".to_owned());
    };
    let created = records.iter().filter(|record| {
        let name = record["eventName"].as_str().unwrap_or_default();
        name.trim_start_matches("s3:").starts_with("ObjectCreated:")
    });
    Ok(created
        .filter_map(|record| {
            let s3 = &record["s3"];
            let object = created_object(&s3["bucket"], &s3["object"], form_decode)?;
            Some(CreatedObject { at_ms: milliseconds(&record["eventTime"]), ..object })
        })
        .collect())
}

/// Reads a time as events spell it.
fn milliseconds(time: &Value) -> Option<u64> {
    let time = OffsetDateTime::parse(time.as_str()?, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

fn created_object(
    bucket: &Value,
    object: &Value,
    decode: fn(&str) -> Option<String>,
) -> Option<CreatedObject> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let either = |one: &str, other: &str| {
        let first = text(&object[one]);
        if first.is_empty() { text(&object[other]) } else { first }
    };
    let version_id = either("versionId", "version-id");
    Some(CreatedObject {
        bucket: bucket["name"].as_str()?.to_owned(),
        key: decode(object["key"].as_str()?)?,
        size: object["size"].as_u64().unwrap_or_default(),
        etag: either("eTag", "etag").trim_matches('"').to_owned(),
        version_id: Some(version_id).filter(|id| !id.is_empty() && id != "null"),
        sequencer: text(&object["sequencer"]),
        at_ms: None,
    })
}

fn form_decode(key: &str) -> Option<String> {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
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

/// The event that the planner itself was given up on, if the record is of that: a dead letter that was sent again.
fn redriven(record: &Value) -> Option<&Value> {
    let event = &record["requestPayload"];
    let is_event = ["Records", "detail-type", "Sweep", "Wake", "Batch", "Report"]
        .iter()
        .any(|key| event.get(key).is_some());
    // One of a step function may have arguments of any name.
    (is_event && event.get(RESERVED_KEY).is_none() && event.get("requestContext").is_none())
        .then_some(event)
}

/// Reads Lambda's record of an asynchronous invocation
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>).
fn destination(record: &Value) -> PlannerEvent {
    let invocation =
        serde_json::from_value::<Invocation>(record["requestPayload"][RESERVED_KEY].clone());
    let Ok(invocation) = invocation else {
        return PlannerEvent::Ignored(
            "the record of an invocation that sidestep did not make".to_owned(),
        );
    };
    let payload = &record["responsePayload"];
    let condition = record["requestContext"]["condition"].as_str().unwrap_or_default();
    if condition == "Success" {
        if payload[RESERVED_KEY][COMMITTED] == true {
            return PlannerEvent::CommittedDirectly(invocation.execution_id);
        }
        // A function that wrote a manifest says so: the manifest's own event is the report.
        if payload[RESERVED_KEY]["Manifest"].is_string() {
            return PlannerEvent::Ignored("the manifest reports this attempt".to_owned());
        }
        if payload[RESERVED_KEY][REPORTED] == true {
            return PlannerEvent::Ignored(
                "the planner's queue has this attempt's result".to_owned(),
            );
        }
        let result = match payload {
            Value::Object(outputs) => Ok(outputs.clone()),
            Value::Null => Ok(Map::new()),
            other => Err(Failure {
                error_type: "Sidestep.OutputNotObject".to_owned(),
                message: format!(
                    "the function returned {}, not a JSON object",
                    crate::definition::expression::type_name(other)
                ),
            }),
        };
        return PlannerEvent::Ended { invocation, result };
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let failure = Failure {
        error_type: text(&payload["errorType"]).unwrap_or_else(|| match condition {
            "EventAgeExceeded" => "Sidestep.EventAgeExceeded".to_owned(),
            _ => "Sidestep.FunctionError".to_owned(),
        }),
        message: text(&payload["errorMessage"])
            .unwrap_or_else(|| format!("Lambda reports `{condition}` without a message")),
    };
    PlannerEvent::Ended { invocation, result: Err(failure) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(key: &str) -> Value {
        json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {
            "bucket": {"name": "inbox"},
            "object": {"key": key, "size": 3, "eTag": "e", "sequencer": "0A"}}}]})
    }

    #[test]
    fn keys_are_decoded_only_in_the_envelope_that_encodes_them() {
        let classic = created_objects(&notification("a+b/c%2Bd%25/%C3%A9")).expect("objects");
        assert_eq!(classic[0].key, "a b/c+d%/é");
        let bridge = json!({"detail-type": "Object Created", "detail": {
            "bucket": {"name": "inbox"}, "object": {"key": "a+b/c%2Bd", "etag": "e"}}});
        assert_eq!(created_objects(&bridge).expect("objects")[0].key, "a+b/c%2Bd");
    }

    #[test]
    fn the_time_of_an_upload_is_read_in_both_envelopes() {
        let mut classic = notification("a");
        classic["Records"][0]["eventTime"] = json!("2026-11-26T12:00:00.250Z");
        let bridge = json!({"detail-type": "Object Created", "time": "2026-11-26T12:00:00Z",
            "detail": {"bucket": {"name": "inbox"}, "object": {"key": "a"}}});
        let time = |event: &Value| created_objects(event).expect("objects")[0].at_ms;
        assert_eq!(time(&classic), Some(1_795_694_400_250));
        assert_eq!(time(&bridge), Some(1_795_694_400_000));
        assert_eq!(time(&notification("a")), None);
        classic["Records"][0]["eventTime"] = json!("1960-01-01T00:00:00Z");
        assert_eq!(time(&classic), None);
    }

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
                "requestPayload": payload, "responsePayload": {"errorType": "Sidestep.Engine"}})
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
        assert_eq!(failure(json!(null)).error_type, "Sidestep.FunctionError");
        assert!(result("Success", json!([1])).expect("ended").is_err());
    }
}
