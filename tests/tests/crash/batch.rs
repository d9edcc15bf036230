//! Batches whose trigger or planner dies at any request.
//!
//! Every upload is in one execution, and in no other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sidestep_core::event::trigger::Trigger;
use sidestep_core::name::{ExecutionId, ParameterName, PipelineName};
use sidestep_core::parse::Format;
use sidestep_core::uri::S3Uri;
use sidestep_engine::engine::Engine;
use sidestep_engine::handle::sqs_batch::Consumer;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::ports::batches::BatchStore as _;
use sidestep_engine::ports::executions::ExecutionStore as _;
use sidestep_engine::sweep::Leases;
use sidestep_testkit::proxy::RequestFault;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::world::World;

/// More requests than a whole batch may take.
const MOST: u32 = 200;
const SECONDS: u32 = 60;

/// Creates a world with a trigger whose batches start a pipeline without functions.
async fn world() -> World {
    let world = World::new().await;
    let gate = json!({"Name": "Gate", "Type": "Condition", "Arguments": {"IfSteps": [], "ElseSteps": [],
        "Conditions": [{"Type": "Equals", "LeftValue": {"Get": "Parameters.Listing"}, "RightValue": "x"}]}});
    let parameter = |name: &str, kind: &str| json!({"Name": name, "Type": kind});
    let pipeline = json!({"Version": "2020-12-01", "Steps": [gate],
        "Parameters": [parameter("Listing", "String"), parameter("Count", "Integer")]});
    let definition = Definition { text: pipeline.to_string(), format: Format::Json };
    let engine = world.sound();
    let trigger = Trigger {
        pipeline_name: PipelineName::parse("p").unwrap(),
        definition_digest: engine.register(&definition).await.unwrap(),
        definition_format: Format::Json,
        bucket: "inbox".to_owned(),
        prefix: String::new(),
        suffix: String::new(),
        parameters: [("Listing", "$.listing"), ("Count", "$.count")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        batch_seconds: Some(SECONDS),
        left_out: BTreeMap::new(),
    };
    engine.replace_triggers(&[trigger]).await.unwrap();
    world
}

fn upload(key: &str, at_ms: u64) -> Value {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).unwrap();
    let object = json!({"key": key, "size": 1, "eTag": "e", "sequencer": "01"});
    json!({"Records": [{"eventName": "ObjectCreated:Put", "eventTime": at.format(&Rfc3339).unwrap(),
        "s3": {"bucket": {"name": "inbox"}, "object": object}}]})
}

/// Returns the objects of each execution that is not in `seen`, and adds the execution to `seen`.
async fn started(world: &World, seen: &mut BTreeSet<ExecutionId>) -> Vec<Vec<String>> {
    let mut batches = Vec::new();
    for line in world.table.list(None, 10_000).await.unwrap() {
        if !seen.insert(line.execution_id.clone()) {
            continue;
        }
        let start = world.table.start(&line.execution_id).await.unwrap().unwrap();
        let value = |name: &str| start.parameters[&ParameterName::parse(name).unwrap()].clone();
        let listing = S3Uri::parse(value("Listing").as_str().unwrap()).unwrap();
        let document = world.document(&listing).await;
        let objects = document["Objects"].as_array().unwrap();
        assert_eq!(value("Count"), json!(objects.len()), "{document}");
        batches.push(objects.iter().map(|one| one["Uri"].as_str().unwrap().to_owned()).collect());
    }
    batches
}

#[tokio::test]
async fn a_death_at_any_request_of_a_batch_leaves_every_upload_in_exactly_one_execution() {
    let world = world().await;
    let mut seen = BTreeSet::new();
    let (mut deaths, mut begins_ms) = (0, 1_700_000_040_000);
    for fault in [RequestFault::HangBefore, RequestFault::HangAfter] {
        for position in 0..MOST {
            let (at_ms, due_ms) = (begins_ms + 1_000, begins_ms + 63_000);
            begins_ms += 120_000;
            let key = |number: u32| format!("{fault:?}/{position}/{number}");
            let events: Vec<_> = (0..4).map(|number| upload(&key(number), at_ms)).collect();
            let all = async |engine: &Engine| {
                world.clock.set(at_ms);
                for event in &events[..3] {
                    engine.consume(Consumer::Trigger, event.clone()).await.unwrap();
                }
                world.clock.set(due_ms);
                engine.sweep(Leases::ByTime).await.unwrap();
                // One whose event is late.
                engine.consume(Consumer::Trigger, events[3].clone()).await.unwrap();
                engine.sweep(Leases::ByTime).await.unwrap();
            };
            let died = world.dies(position, fault, async |engine| all(&engine).await).await;
            // What was not handled comes again, and so does what was.
            for event in &events {
                world.sound().consume(Consumer::Trigger, event.clone()).await.unwrap();
            }
            world.clock.set(due_ms);
            world.sound().sweep(Leases::ByTime).await.unwrap();

            let batches = started(&world, &mut seen).await;
            let mut objects: Vec<_> = batches.iter().flatten().cloned().collect();
            objects.sort_unstable();
            let expected: Vec<_> =
                (0..4).map(|number| format!("s3://inbox/{}", key(number))).collect();
            assert_eq!(objects, expected, "{fault:?} {position}: {batches:?}");
            assert_eq!(world.table.open_windows().await.unwrap(), [], "{fault:?} {position}");
            if !died {
                assert_eq!(batches.len(), 2, "the late one has an execution of its own");
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths >= 40, "three uploads, two windows' ends: {deaths}");
}

#[tokio::test]
async fn a_window_starts_when_it_has_ended_and_equal_batches_have_one_listing() {
    let world = world().await;
    let begins_ms = 1_700_000_040_000;
    let mut seen = BTreeSet::new();
    let mut listings = BTreeSet::new();
    for round in 0..2 {
        let at_ms = begins_ms + round * 600_000;
        world.clock.set(at_ms + 30_000);
        let engine = world.sound();
        for key in ["b", "a"] {
            engine.consume(Consumer::Trigger, upload(key, at_ms + 500)).await.unwrap();
        }
        let id = world.table.open_windows().await.unwrap().remove(0).id;
        let call = json!({"Batch": {"Window": id, "AtMs": 0}});
        engine.handle(call.clone()).await.unwrap();
        engine.sweep(Leases::ByTime).await.unwrap();
        assert_eq!(started(&world, &mut seen).await, [] as [Vec<String>; 0], "too early");
        world.clock.set(id.due_ms());
        engine.handle(call.clone()).await.unwrap();
        engine.handle(call).await.unwrap();
        assert_eq!(started(&world, &mut seen).await, [["s3://inbox/a", "s3://inbox/b"]]);
        let (_, parts) = world.table.window(&id).await.unwrap();
        listings.extend(parts.into_iter().map(|part| part.listing));
    }
    assert_eq!(listings.len(), 1, "the same files are the same document: {listings:?}");
}

#[tokio::test]
async fn an_upload_whose_time_is_ahead_of_the_clock_is_in_one_window_however_late_it_comes_again() {
    let world = world().await;
    let ends_ms = 1_700_000_100_000;
    // S3's clock says that the next window has begun, ours does not yet.
    for now_ms in [ends_ms - 20, ends_ms + 20] {
        world.clock.set(now_ms);
        let event = upload("a", ends_ms + 10);
        world.sound().consume(Consumer::Trigger, event).await.unwrap();
    }
    world.clock.set(ends_ms + 2 * 60_000);
    world.sound().sweep(Leases::ByTime).await.unwrap();
    assert_eq!(started(&world, &mut BTreeSet::new()).await, [["s3://inbox/a"]]);
}
