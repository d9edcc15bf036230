//! What executions ask of the services, exactly: counts do not depend on the machine.

use serde_json::{Value, json};
use sidestep_aws::counter::Counter;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::view::price::Usage;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::start::StartRequest;
use sidestep_local::deployment::{Planner, local_engine};

use crate::setup::{self, Setup};

async fn setup(counter: &Counter) -> Setup {
    let step = setup::sdk_function("step", env!("CARGO_BIN_EXE_noop-step"));
    Setup::new(Planner::Counted(counter.clone()), Handoff::Event, vec![step]).await
}

fn of(name: &str) -> Value {
    json!({"Get": format!("Steps.{name}.OutputParameters['Value']")})
}

/// Returns chains of ten side by side, without anything at their ends.
fn chains(count: usize, changed: Option<usize>) -> StartRequest {
    let step = |n: usize| {
        let value = match n % 10 {
            0 => json!(if changed == Some(n) { 1_000_000 } else { n }),
            _ => of(&format!("S{}", n - 1)),
        };
        json!({"Name": format!("S{n}"), "Type": "Lambda", "FunctionArn": "step",
            "Arguments": {"Value": value, "Step": n},
            "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
    };
    let steps: Vec<Value> = (0..count * 10).map(step).collect();
    setup::request(
        &json!({"Version": "2020-12-01", "CacheConfig": {"Enabled": true}, "Steps": steps}),
    )
}

/// Counts what the planner asked for during one execution, in which `runs` functions ran.
async fn usage(setup: &Setup, counter: &Counter, request: StartRequest, runs: usize) -> Usage {
    counter.take();
    let before = setup.invocations();
    let prepared = setup.engine.prepare(request).await.unwrap();
    let id = setup.engine.begin(prepared).await.unwrap();
    // Requests of the test itself are not counted.
    let engine = local_engine(setup.cloud.endpoints(), EngineOptions::default());
    let execution = setup::end(&engine, &id).await;
    assert_eq!(setup.invocations() - before, u64::try_from(runs).unwrap());
    assert_eq!(execution.pipeline_execution_status, "Succeeded", "{execution:#?}");
    assert_eq!(execution.summary.run, runs);
    counter.take().remove("planner").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_asks_for_the_same_few_things_however_many_steps_there_are() {
    let counter = Counter::new("planner");
    let setup = setup(&counter).await;
    // The first two chains of the larger one are those of the smaller.
    for (chains_beside, runs) in [(2, 20), (20, 180)] {
        let steps = chains_beside * 10;
        usage(&setup, &counter, chains(chains_beside, None), runs).await;
        let again = usage(&setup, &counter, chains(chains_beside, None), 0).await;
        let writes = ["PutItem", "UpdateItem"].map(|operation| again.count("DynamoDB", operation));
        // START, HEAD, the list's line, the pipeline's name; the commit, the line again; HEAD
        // again.
        assert_eq!(writes, [6, 1], "{steps} steps: {again:#?}");
        let reads = again.count("DynamoDB", "BatchGetItem");
        assert!(reads <= u64::try_from(steps.div_ceil(100)).unwrap(), "{steps} steps: {again:#?}");
        assert_eq!(again.count("Lambda", "Invoke"), 0);
        assert_eq!(again.count("S3", "PutObject"), 0, "no function wrote anything");
        let third = usage(&setup, &counter, chains(chains_beside, None), 0).await;
        let usd = third.usd_per_million(u64::try_from(steps).unwrap());
        assert!(steps < 200 || usd <= 0.10, "${usd} for a million cached steps: {third:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_asks_for_more_only_where_it_is_felt() {
    let counter = Counter::new("planner");
    let setup = setup(&counter).await;
    usage(&setup, &counter, chains(5, None), 50).await;
    let changed = usage(&setup, &counter, chains(5, Some(20)), 10).await;
    assert_eq!(changed.count("Lambda", "Invoke"), 10, "{changed:#?}");
    // As for a repeat, and for each step of the changed chain a commit and a cache entry.
    assert_eq!(changed.count("DynamoDB", "PutItem"), 6 + 2 * 10, "{changed:#?}");
    // The planner, which is alone here, writes HEAD after eight commits and at the end.
    assert_eq!(changed.count("DynamoDB", "UpdateItem"), 2, "{changed:#?}");
}
