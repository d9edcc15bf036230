//! Events that come twice, results that differ, clocks that go back, states of a newer version.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sidestep_core::definition::StepIndex;
use sidestep_core::event::trigger::Trigger;
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::execution::invocation::RequestRecord;
use sidestep_core::execution::proof::request_code;
use sidestep_core::execution::start::STATE_VERSION;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::parse::Format;
use sidestep_engine::error::EngineError;
use sidestep_engine::handle::sqs_batch::Consumer;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::ports::executions::ExecutionStore as _;
use sidestep_engine::sweep::Leases;

use super::world::{World, ended};
use crate::setup;

fn step(name: &str, more: &Value) -> Value {
    let mut step = json!({"Name": name, "Type": "Lambda", "FunctionArn": "step", "Arguments": {}});
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

async fn begin(world: &World, definition: &Value) -> (ExecutionId, Value) {
    let engine = world.sound();
    let prepared = engine.prepare(setup::request(definition)).await.unwrap();
    let id = engine.begin(prepared).await.unwrap();
    (id, world.invoked().expect("it has nothing to wait for"))
}

#[tokio::test]
async fn an_upload_that_is_announced_twice_starts_one_execution_and_another_upload_another() {
    let world = World::new().await;
    let engine = world.sound();
    let text = json!({"Version": "2020-12-01", "Steps": [step("A", &json!({}))]}).to_string();
    let definition = Definition { text, format: Format::Json };
    let pipeline_name = PipelineName::parse("p").unwrap();
    // Its definition is then in the bucket.
    begin(&world, &serde_json::from_str(&definition.text).unwrap()).await;
    let trigger = Trigger {
        pipeline_name: pipeline_name.clone(),
        definition_digest: definition.digest(),
        definition_format: Format::Json,
        bucket: "inbox".to_owned(),
        prefix: String::new(),
        suffix: String::new(),
        parameters: BTreeMap::new(),
        batch_seconds: None,
        left_out: BTreeMap::new(),
    };
    engine.replace_triggers(&[trigger]).await.unwrap();
    for (sequencer, executions) in [("0A", 1), ("0A", 1), ("0B", 2), ("0A", 2)] {
        let object = json!({"key": "a", "size": 1, "eTag": "e", "sequencer": sequencer});
        let event = json!({"Records": [{"eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "inbox"}, "object": object}}]});
        engine.consume(Consumer::Trigger, event).await.unwrap();
        let lines = world.table.list(Some(&pipeline_name), 10).await.unwrap();
        assert_eq!(lines.len(), executions, "after {sequencer}");
    }
}

#[tokio::test]
async fn a_record_that_is_faster_than_its_request_id_is_read_again_and_a_foreign_one_never_counts()
{
    let world = World::new().await;
    let definition = json!({"Version": "2020-12-01", "Steps": [step("A", &json!({}))]});
    let (id, payload) = begin(&world, &definition).await;
    let request_id = payload["RequestId"].as_str().unwrap();
    let recorded = world.table.request(request_id).await.unwrap().expect("it was recorded");

    let mut foreign = ended(&payload, "Success");
    foreign["requestContext"]["functionArn"] = "another".into();
    let mut early = ended(&payload, "Success");
    early["requestContext"]["requestId"] = "not-recorded-yet".into();
    for record in [foreign, early.clone()] {
        world.sound().handle(record).await.unwrap();
        assert_eq!(world.status(&id).await, ExecutionStatus::Executing);
    }
    let start = world.table.start(&id).await.unwrap().expect("it has begun");
    let token = start.secret.token(&id, StepIndex(0), 1, 1);
    let proof = request_code(&token, "not-recorded-yet");
    let record = RequestRecord { proof, ..recorded };
    world.table.put_request("not-recorded-yet", &record).await.unwrap();
    let again = json!({"Unmatched": {"Tries": 1, "Record": early}});
    world.sound().handle(again).await.unwrap();
    assert_eq!(world.status(&id).await, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn of_two_executions_that_race_on_one_key_and_differ_the_second_is_told() {
    let world = World::new().await;
    let definition = json!({"Version": "2020-12-01", "CacheConfig": {"Enabled": true},
        "Steps": [step("A", &json!({"OutputParameters": [
            {"OutputName": "Value", "OutputType": "Integer"}]}))]});
    let (first, second) = (begin(&world, &definition).await, begin(&world, &definition).await);
    for ((id, payload), value) in [(&first, 1), (&second, 2)] {
        let mut event = ended(payload, "Success");
        event["responsePayload"] = json!({ "Value": value });
        world.sound().handle(event).await.unwrap();
        assert_eq!(world.status(id).await, ExecutionStatus::Succeeded);
        let warnings = world.sound().describe(id).await.unwrap().steps[0].warnings.clone();
        assert_eq!(warnings.len(), value - 1, "{warnings:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_or_ahead_loses_nothing() {
    const DAY_MS: u64 = 86_400_000;
    let world = World::new().await;
    let steps = [step("A", &json!({})), step("B", &json!({"DependsOn": ["A"]}))];
    let (id, a) = begin(&world, &json!({"Version": "2020-12-01", "Steps": steps})).await;
    let now_ms = 1_700_000_000_000;

    world.clock.set(now_ms - DAY_MS);
    world.sound().sweep(Leases::ByTime).await.unwrap();
    assert_eq!(world.invoked(), None, "nothing is given up");
    world.sound().handle(ended(&a, "Success")).await.unwrap();
    assert!(world.invoked().is_some(), "B begins");

    world.clock.set(now_ms + DAY_MS);
    world.sound().sweep(Leases::ByTime).await.unwrap();
    let b = world.invoked().expect("its lease has lapsed by this clock, so it begins anew");
    assert_eq!(
        (&b["Sidestep"]["StepName"], &b["Sidestep"]["AttemptCount"]),
        (&json!("B"), &json!(2))
    );
    world.clock.set(now_ms - DAY_MS);
    world.sound().handle(ended(&b, "Success")).await.unwrap();
    assert_eq!(world.status(&id).await, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn an_execution_of_a_newer_version_is_refused_and_keeps_no_other_waiting() {
    let world = World::new().await;
    let definition = json!({"Version": "2020-12-01", "Steps": [step("A", &json!({}))]});
    let (old, payload) = begin(&world, &definition).await;
    let mut newer = world.table.start(&old).await.unwrap().unwrap();
    newer.execution_id = ExecutionId::from_bytes([9; 16]);
    newer.state_version = STATE_VERSION + 1;
    world.table.create(&newer, 1).await.unwrap();
    let before = world.table.head(&newer.execution_id).await.unwrap();

    let error = world.sound().load(&newer.execution_id).await.unwrap_err();
    assert!(matches!(error, EngineError::NewerState { .. }), "{error}");
    world.clock.advance(3_600_000);
    world.sound().sweep(Leases::ByTime).await.unwrap();
    assert_eq!(world.table.head(&newer.execution_id).await.unwrap(), before, "left alone");
    assert_eq!(
        world.invoked().map(|again| again["Sidestep"]["AttemptCount"].clone()),
        Some(json!(2)),
        "{payload}"
    );
}
