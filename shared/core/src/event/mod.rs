//! Tells apart what reaches the planner: S3 notifications, Lambda's destination records, and calls
//! of the planner by itself and by steps.
//!
//! Nothing here trusts an event. Unknown shapes and foreign keys are [`PlannerEvent::Ignored`] with
//! the reason. They are never an error, because an error would make the platform deliver them
//! again.

pub mod batch;
pub mod destination;
#[cfg(test)]
mod fixture;
mod lenient;
pub mod s3;
pub mod schedule;
pub mod sqs;
pub mod trigger;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::event::batch::WindowId;
use crate::event::destination::{InvocationEnd, Told};
use crate::event::s3::{CreatedObject, created_objects};
use crate::execution::invocation::{AttemptName, ManifestKey};
use crate::execution::manifest::Manifest;
use crate::job::start::{JOB_KEY, JobCall, JobEvent, job_event};
use crate::name::ExecutionId;
use crate::uri::S3Uri;

/// An event that reached the planner.
#[derive(Debug, Clone, PartialEq)]
pub enum PlannerEvent {
    /// An attempt's manifest lies in S3.
    ManifestCreated(ManifestKey),
    /// Lambda says how an asynchronous invocation of a step function ended.
    Ended(InvocationEnd),
    /// A step left its result in the planner's queue.
    Reported { attempt: AttemptName, manifest: Manifest },
    /// A step committed its result itself.
    CommittedDirectly(ExecutionId),
    /// The sweep is due: it looks for executions whose messages were lost.
    Sweep,
    /// A time that an execution waits for has come, or will come at `at_ms`.
    Wake { execution_id: ExecutionId, at_ms: u64 },
    /// A window of a batch trigger has ended, or will end.
    WindowEnded(WindowId),
    /// A call of the job function that had to wait.
    Job(Box<JobCall>),
    /// Nothing that the planner has to handle, and why.
    Ignored(String),
}

/// The result that a step leaves in the planner's queue.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delivery {
    /// Earlier releases sent the invocation, with the token.
    #[serde(rename = "Invocation")]
    attempt: AttemptName,
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

/// Returns the event by which a step leaves its result to the planner.
pub fn report_event(attempt: AttemptName, manifest: Manifest) -> Value {
    json!({ "Report": Delivery { attempt, manifest } })
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
            Ok(Delivery { attempt, manifest }) => PlannerEvent::Reported { attempt, manifest },
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
    if event.get(JOB_KEY).is_some() {
        return vec![match job_event(event) {
            JobEvent::Call(call) => PlannerEvent::Job(call),
            _ => PlannerEvent::Ignored("a call of the job function without a job".to_owned()),
        }];
    }
    if let Some(again) = event.get(destination::UNMATCHED) {
        return vec![of_record(destination::told_again(again))];
    }
    if event.get("requestContext").is_some() {
        return vec![of_record(destination::told(event))];
    }
    let objects = match created_objects(event) {
        Ok(objects) => objects,
        Err(why) => return vec![PlannerEvent::Ignored(why)],
    };
    let manifest =
        |object: &CreatedObject| match ManifestKey::of(&S3Uri::new(&object.bucket, &object.key)) {
            Some(key) => PlannerEvent::ManifestCreated(key),
            None => PlannerEvent::Ignored(format!("`{}` is not the key of a manifest", object.key)),
        };
    objects.iter().map(manifest).collect()
}

fn of_record(told: Told) -> PlannerEvent {
    match told {
        Told::Ended(end) => PlannerEvent::Ended(end),
        Told::Committed(execution_id) => PlannerEvent::CommittedDirectly(execution_id),
        Told::Nothing(why) => PlannerEvent::Ignored(why.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::fixture::notification;
    use crate::execution::invocation::{Invocation, REPORTED, RESERVED_KEY};
    use crate::execution::manifest::Timing;

    #[test]
    fn a_result_in_the_queue_reads_back_and_its_answer_is_no_second_report() {
        let invocation: Invocation = serde_json::from_value(json!({
            "ExecutionId": ExecutionId::from_bytes([7; 16]), "PipelineName": "p", "StepName": "S",
            "AttemptCount": 2, "OutputPrefix": "s3://bucket/runs/p/e/S/2/", "Token": "t",
            "DeadlineMs": 9}))
        .expect("an invocation");
        let outputs = json!({"Text": "ü"}).as_object().expect("an object").clone();
        let manifest = Manifest::new("secret", outputs, Vec::new(), Timing::default());
        let event = report_event(invocation.attempt(), manifest.clone());
        assert!(!event.to_string().contains("secret"), "{event}");
        let attempt = invocation.attempt();
        assert_eq!(planner_events(&event), [PlannerEvent::Reported { attempt, manifest }]);
        let old = json!({"Report": {"Invocation": invocation, "Manifest": {"Version": 1,
            "Token": "t", "Outputs": {}, "Artifacts": [], "StartedAtMs": 1, "DurationMs": 2}}});
        assert!(matches!(planner_events(&old)[..], [PlannerEvent::Reported { .. }]), "{old}");
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
}
