//! Services that answer errors for a while: DynamoDB and S3 to the planner, Lambda to invocations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::{Value, json};
use sidestep_core::name::ExecutionId;
use sidestep_core::view::description::ExecutionDescription;
use sidestep_engine::engine::Engine;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::sweep::Leases;
use sidestep_local::cloud::{Cloud, Ports};
use sidestep_local::deployment::{Planner, create_resources, deploy, local_engine, register_step};
use sidestep_testkit::proxy::{Proxy, RequestFault};

use crate::setup;

/// A cloud whose planner reaches DynamoDB, S3 and Lambda through proxies.
struct World {
    cloud: Cloud,
    engine: Arc<Engine>,
    dynamodb: Proxy,
    s3: Proxy,
    lambda: Proxy,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut cloud = Cloud::start(folder.path(), Ports::default()).await.unwrap();
        create_resources(&cloud).await.unwrap();
        cloud.open_doors();
        let mut endpoints = cloud.endpoints().clone();
        let dynamodb = Proxy::serve(&endpoints.dynamodb).await.unwrap();
        let s3 = Proxy::serve(&endpoints.s3).await.unwrap();
        let lambda = Proxy::serve(&endpoints.lambda).await.unwrap();
        dynamodb.endpoint().clone_into(&mut endpoints.dynamodb);
        s3.endpoint().clone_into(&mut endpoints.s3);
        lambda.endpoint().clone_into(&mut endpoints.lambda);
        let options = EngineOptions { is_sole_planner: true, ..EngineOptions::default() };
        let engine = Arc::new(local_engine(&endpoints, options));
        register_step(&cloud, setup::sdk_function("step", env!("CARGO_BIN_EXE_noop-step")))
            .unwrap();
        deploy(&mut cloud, &engine, &[], Planner::InProcess).await.unwrap();
        Self { cloud, engine, dynamodb, s3, lambda, _folder: folder }
    }

    async fn begin(&self, steps: &[Value]) -> ExecutionId {
        let request = setup::request(&json!({"Version": "2020-12-01", "Steps": steps}));
        let prepared = self.engine.prepare(request).await.unwrap();
        self.engine.begin(prepared).await.unwrap()
    }
}

fn step(name: &str, value: &Value) -> Value {
    json!({"Name": name, "Type": "Lambda", "FunctionArn": "step",
        "Arguments": {"Value": value, "Step": name},
        "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
}

/// Returns four steps side by side and four that follow them.
fn steps() -> Vec<Value> {
    let first = (0..4).map(|n| step(&format!("A{n}"), &json!(n)));
    let second = (0..4).map(|n| {
        let value = json!({"Get": format!("Steps.A{n}.OutputParameters['Value']")});
        step(&format!("B{n}"), &value)
    });
    first.chain(second).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_outlives_errors_of_dynamodb_and_s3_and_no_finished_step_runs_twice() {
    let world = World::new().await;
    let id = world.begin(&steps()).await;
    let (is_down, suffered) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    for (seed, proxy) in [(1, &world.dynamodb), (2, &world.s3)] {
        let mut dice = fastrand::Rng::with_seed(seed);
        let (is_down, suffered) = (Arc::clone(&is_down), Arc::clone(&suffered));
        proxy.set(move |_| {
            let fault = match dice.u8(0..4) {
                _ if !is_down.load(Ordering::SeqCst) => RequestFault::Pass,
                0 => RequestFault::Pass,
                // The client cannot know whether it was done.
                1 => RequestFault::Lose(StatusCode::INTERNAL_SERVER_ERROR),
                _ => RequestFault::Refuse(StatusCode::SERVICE_UNAVAILABLE),
            };
            suffered.fetch_add(u32::from(fault != RequestFault::Pass), Ordering::SeqCst);
            fault
        });
    }
    // More than one call's own tries get over.
    let begun = Instant::now();
    while suffered.load(Ordering::SeqCst) < 12 {
        assert!(begun.elapsed() < Duration::from_mins(2), "nothing is asked of the services");
        drop(world.engine.sweep(Leases::ByTime).await);
    }
    is_down.store(false, Ordering::SeqCst);

    let finished = |execution: &ExecutionDescription| {
        let steps = execution.steps.iter().filter(|step| step.step_status == Some("Succeeded"));
        steps.map(|step| (step.step_name.clone(), step.attempt_count)).collect::<BTreeMap<_, _>>()
    };
    let before = finished(&world.engine.describe(&id).await.unwrap());

    // The sweep finds what no event reports again, and a claim whose planner failed before it
    // invoked lapses: here as soon as nothing has run for a while, for the leases of these
    // functions are longer than a test should take.
    let begun = Instant::now();
    let mut last_busy = Instant::now();
    while !world.engine.load(&id).await.unwrap().execution.status.is_over() {
        assert!(
            begun.elapsed() < Duration::from_mins(2),
            "{:#?}",
            world.engine.describe(&id).await
        );
        let load = world.cloud.lambda().load();
        if load.running + load.queued > 0 {
            last_busy = Instant::now();
        }
        let is_idle = last_busy.elapsed() > Duration::from_secs(1);
        let leases = if is_idle { Leases::All } else { Leases::ByTime };
        drop(world.engine.sweep(leases).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let execution = setup::end(&world.engine, &id).await;
    assert_eq!(execution.pipeline_execution_status, "Succeeded", "{execution:#?}");
    for (position, step) in execution.steps.iter().enumerate() {
        assert_eq!(step.output_parameters["Value"], position % 4, "{step:#?}");
        assert_eq!(step.failed_attempts.len(), 0, "no function failed: {step:#?}");
    }
    let after = finished(&execution);
    assert!(before.iter().all(|(step, attempt)| after[step] == *attempt), "{before:?} {after:?}");
    let invocations = world.cloud.lambda().counts().invocations;
    let invoked = invocations.iter().filter(|(name, _)| name.as_str() == "step").map(|(_, n)| n);
    let begun = execution.steps.iter().map(|step| u64::from(step.attempt_count)).sum();
    assert!(invoked.sum::<u64>() <= begun, "no attempt is invoked twice: {execution:#?}");
    world.cloud.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttle_of_the_function_service_is_told_apart_and_retried() {
    let world = World::new().await;
    // More than the SDK's own tries of one call.
    let left = AtomicU32::new(5);
    world.lambda.set(move |asked| {
        let is_invocation = asked.uri.path().ends_with("/invocations");
        let is_left =
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if is_invocation && is_left.is_ok() {
            return RequestFault::Error(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException");
        }
        RequestFault::Pass
    });
    let id = world.begin(&[step("A", &json!(7))]).await;
    let execution = setup::end(&world.engine, &id).await;
    assert_eq!(execution.pipeline_execution_status, "Succeeded", "{execution:#?}");
    let step = &execution.steps[0];
    let failed: Vec<_> = step.failed_attempts.iter().map(|f| f.failure_type.as_str()).collect();
    assert_eq!((step.attempt_count, failed), (2, vec!["Step.THROTTLING"]), "{step:#?}");
    world.cloud.shutdown(Duration::ZERO).await;
}
