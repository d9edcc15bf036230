//! Attempts that do not report.
//!
//! The sweep starts another one soon if their handlers renew leases, and never while they renew.

use serde_json::{Value, json};
use sidestep_core::plan::lease::{RENEWED_LEASE_MS, STARTED_NAME, renewal};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::clock::Clock as _;
use sidestep_engine::sweep::Leases;

use super::world::World;
use crate::setup;

/// Twice the pause between two sweeps.
const SWEEPS_MS: u64 = 120_000;

/// Begins an execution of one step of the function `renewing`, and returns the payload of its first
/// attempt.
async fn begin(world: &World, more: &Value) -> Value {
    world.functions.deploy_with_sdk("renewing", "code", 900);
    let mut step =
        json!({"Name": "A", "Type": "Lambda", "FunctionArn": "renewing", "Arguments": {}});
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let engine = world.sound();
    let request = setup::request(&json!({"Version": "2020-12-01", "Steps": [step]}));
    let prepared = engine.prepare(request).await.unwrap();
    engine.begin(prepared).await.unwrap();
    world.invoked().expect("it has nothing to wait for")
}

fn prefix(payload: &Value) -> S3Uri {
    S3Uri::parse(payload["Sidestep"]["OutputPrefix"].as_str().unwrap()).unwrap()
}

/// Lets time pass and sweeps. Returns the number of the attempt that begins.
async fn after(world: &World, ms: u64) -> Option<Value> {
    world.clock.advance(ms);
    world.sound().sweep(Leases::ByTime).await.unwrap();
    world.invoked().map(|payload| payload["Sidestep"]["AttemptCount"].clone())
}

#[tokio::test]
async fn a_lost_invocation_of_a_function_that_renews_is_begun_again_soon_and_the_next_one_late() {
    let world = World::new().await;
    begin(&world, &json!({})).await;
    assert_eq!(after(&world, RENEWED_LEASE_MS - 1).await, None);
    assert_eq!(after(&world, SWEEPS_MS).await, Some(json!(2)), "an invocation was lost");
    assert_eq!(
        after(&world, RENEWED_LEASE_MS + SWEEPS_MS).await,
        None,
        "Lambda's queue may be long"
    );
    assert_eq!(after(&world, 1_800_000).await, Some(json!(3)));
}

#[tokio::test]
async fn an_attempt_that_renews_its_lease_is_not_given_up_until_it_stops() {
    let world = World::new().await;
    let payload = begin(&world, &json!({})).await;
    let mut renewed = world.clock.now_ms();
    for _ in 0..14 {
        renewed = world.clock.now_ms();
        world.put(&renewal(&prefix(&payload), renewed)).await;
        assert_eq!(after(&world, 60_000).await, None);
    }
    let left_ms = renewed + RENEWED_LEASE_MS - world.clock.now_ms();
    assert_eq!(after(&world, left_ms + 1).await, Some(json!(2)));
}

#[tokio::test]
async fn a_lost_attempt_that_may_start_once_is_fenced_off_or_fails_the_step() {
    for has_begun in [false, true] {
        let world = World::new().await;
        let payload = begin(&world, &json!({"ExactlyOnceStart": true})).await;
        assert_eq!(payload["Sidestep"]["ExactlyOnceStart"], true);
        let started = prefix(&payload).join(STARTED_NAME);
        if has_begun {
            world.put(&started).await;
        }
        let again = after(&world, RENEWED_LEASE_MS + 1).await;
        if has_begun {
            assert_eq!(again, None, "no process knows how far it came");
            let only = world.only().await;
            assert_eq!(only.pipeline_execution_status, "Failed");
            let reason = only.failure_reason.unwrap_or_default();
            assert!(reason.contains("`A`: attempt 1 began"), "{reason}");
        } else {
            assert_eq!(again, Some(json!(2)));
            assert_eq!(
                world.document(&started).await,
                json!({"Fenced": true}),
                "attempt 1 cannot begin"
            );
            assert_eq!(world.only().await.pipeline_execution_status, "Executing");
        }
    }
}
