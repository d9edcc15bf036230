//! The direct road: finished steps commit and invoke the next steps from their own processes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidestep_aws::counter::Counter;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::view::description::ExecutionDescription;
use sidestep_core::view::price::Usage;
use sidestep_engine::start::StartRequest;
use sidestep_local::deployment::Planner;
use sidestep_local::lambda::Code;

use crate::setup::{self, Setup};

/// Starts a cloud that counts what both the planner and the steps ask of the services.
async fn setup(handoff: Handoff, counter: &Counter) -> Setup {
    let step = setup::sdk_function("step", env!("CARGO_BIN_EXE_noop-step"));
    // Without the step SDK: it reports by Lambda's destination, whatever the road.
    let plain = setup::function("plain", env!("CARGO_BIN_EXE_test-step"));
    let functions = [step, plain].map(|mut function| {
        if let Code::Process(command) = &mut function.code {
            command.environment.insert("SIDESTEP_COUNT".to_owned(), "1".to_owned());
        }
        function
    });
    Setup::new(Planner::Counted(counter.clone()), handoff, functions.into()).await
}

fn step(name: &str, function: &str, arguments: &Value) -> Value {
    json!({"Name": name, "Type": "Lambda", "FunctionArn": function, "Arguments": arguments,
        "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
}

fn of(name: &str) -> Value {
    json!({"Get": format!("Steps.{name}.OutputParameters['Value']")})
}

fn chain(steps: usize) -> Vec<Value> {
    let value = |n: usize| if n == 0 { json!(7) } else { of(&format!("S{}", n - 1)) };
    let step = |n: usize| step(&format!("S{n}"), "step", &json!({"Value": value(n), "Step": n}));
    (0..steps).map(step).collect()
}

fn request(steps: &[Value], is_cached: bool) -> StartRequest {
    setup::request(
        &json!({"Version": "2020-12-01", "CacheConfig": {"Enabled": is_cached}, "Steps": steps}),
    )
}

fn assert_succeeded(execution: &ExecutionDescription, runs: usize) {
    assert_eq!(execution.pipeline_execution_status, "Succeeded", "{execution:#?}");
    assert_eq!(execution.summary.run, runs, "{execution:#?}");
}

/// Waits until `caller` has asked for what is `wanted`: steps report it only after their answer.
async fn usage(counter: &Counter, caller: &str, wanted: &Usage) -> Usage {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let mut usage = counter.usage().remove(caller).unwrap_or_default();
        // Chains of calls are each process's own, and each process reads the definition once.
        usage.round_trips = 0;
        usage.requests.remove("S3");
        if usage == *wanted || Instant::now() > until {
            return usage;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn requests(counts: &[(&str, &str, usize)]) -> Usage {
    let mut usage = Usage::default();
    for (service, operation, count) in counts {
        usage.add_requests(service, operation, u64::try_from(*count).unwrap());
    }
    usage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_by_the_direct_road_asks_for_a_write_and_an_invocation_a_step() {
    const STEPS: usize = 10;
    let counter = Counter::new("planner");
    let setup = setup(Handoff::Direct, &counter).await;
    let steps = chain(STEPS);

    // A commit for every step, HEAD after eight commits and at the end, there also the list's line,
    // and one from the index of live executions. No read, and no manifest.
    assert_succeeded(&setup.run(request(&steps, false)).await, STEPS);
    let wanted = Usage {
        write_units: 14.0,
        ..requests(&[
            ("DynamoDB", "PutItem", STEPS + 1),
            ("DynamoDB", "UpdateItem", 2),
            ("Lambda", "Invoke", STEPS - 1),
        ])
    };
    let found = usage(&counter, "step", &wanted).await;
    assert_eq!(found, wanted);
    let planner = &counter.usage()["planner"];
    assert_eq!(planner.count("Lambda", "Invoke"), 1, "the first step: {planner:#?}");
    assert_eq!(setup.cloud.s3().counts().get("PutObject"), Some(&1), "the definition");

    // The same, cached: an entry written and one looked for, at half a unit.
    counter.take();
    assert_succeeded(&setup.run(request(&steps, true)).await, STEPS);
    let wanted = Usage {
        write_units: 24.0,
        read_units: 4.5,
        ..requests(&[
            ("DynamoDB", "PutItem", 2 * STEPS + 1),
            ("DynamoDB", "UpdateItem", 2),
            ("DynamoDB", "BatchGetItem", STEPS - 1),
            ("Lambda", "Invoke", STEPS - 1),
        ])
    };
    assert_eq!(usage(&counter, "step", &wanted).await, wanted);

    // And again: nothing runs.
    assert_succeeded(&setup.run(request(&steps, true)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_that_end_together_join_once_on_every_road() {
    for handoff in [Handoff::Direct, Handoff::Both] {
        let counter = Counter::new("planner");
        let setup = setup(handoff, &counter).await;
        let names: Vec<_> = (0..12).map(|n| format!("B{n}")).collect();
        let mut steps = vec![step("Root", "step", &json!({"Value": 1}))];
        // Every third one knows nothing of sidestep.
        let function = |n: usize| if n.is_multiple_of(3) { "plain" } else { "step" };
        steps.extend(
            names.iter().enumerate().map(|(n, name)| {
                step(name, function(n), &json!({"Value": of("Root"), "Branch": n}))
            }),
        );
        let all: Vec<_> = names.iter().map(|name| of(name)).collect();
        steps.push(step("Join", "step", &json!({"Value": of("B11"), "All": all})));
        let execution = setup.run(request(&steps, true)).await;
        assert_succeeded(&execution, 14);
        assert_eq!(setup.invocations(), 14, "{handoff}: every step once");
        let again = setup.run(request(&steps, true)).await;
        assert_succeeded(&again, 0);
    }
}

/// Counts all that an execution asked for, without the objects that each process reads once.
async fn whole_usage(setup: &Setup, counter: &Counter, steps: &[Value]) -> Usage {
    counter.take();
    assert_succeeded(&setup.run(request(steps, false)).await, steps.len());
    let until = Instant::now() + Duration::from_mins(1);
    let is_busy = || setup.cloud.lambda().load().running + setup.cloud.lambda().load().queued > 0;
    while is_busy() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut whole = Usage::default();
    counter.take().values().for_each(|usage| whole.add(usage));
    whole.requests.remove("S3");
    whole
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_in_a_crowd_leave_their_results_to_the_planner_and_seldom_lose_a_write() {
    const STEPS: u8 = 42;
    let counter = Counter::new("planner");
    let setup = setup(Handoff::Direct, &counter).await;
    let chain = whole_usage(&setup, &counter, &chain(STEPS.into())).await;
    let mut steps = vec![step("Root", "step", &json!({"Value": 1}))];
    let names: Vec<_> = (2..STEPS).map(|n| format!("B{n}")).collect();
    let branch = |(n, name): (usize, &String)| {
        step(name, "step", &json!({"Value": of("Root"), "Branch": n}))
    };
    steps.extend(names.iter().enumerate().map(branch));
    let all: Vec<_> = names.iter().map(|name| of(name)).collect();
    steps.push(step("Join", "step", &json!({"Value": of("B2"), "All": all})));
    let fan = whole_usage(&setup, &counter, &steps).await;
    // Alone in a commit each would write two, and when they race three. The execution itself writes
    // eight.
    assert!(fan.write_units <= f64::from(2 * STEPS + 8), "{fan:#?}");
    assert!(fan.count("SQS", "SendMessage") > 0, "the planner's queue has results: {fan:#?}");
    assert_eq!(chain.count("SQS", "SendMessage"), 0, "{chain:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_written_where_there_are_artifacts_or_both_roads_are_wanted() {
    let manifests = |setup: &Setup| {
        let counts: BTreeMap<String, u64> = setup.cloud.s3().counts();
        counts.get("PutObject").copied().unwrap_or_default()
    };
    let steps = [
        step("Plain", "step", &json!({"Value": 1})),
        step("Writes", "step", &json!({"Value": of("Plain"), "Artifact": "a note"})),
        step("Last", "step", &json!({"Value": of("Writes")})),
    ];
    // The definition, the artifact, and the manifests.
    for (handoff, objects) in [(Handoff::Direct, 1 + 1 + 1), (Handoff::Both, 1 + 1 + 3)] {
        let counter = Counter::new("planner");
        let setup = setup(handoff, &counter).await;
        let execution = setup.run(request(&steps, false)).await;
        assert_succeeded(&execution, 3);
        let until = Instant::now() + Duration::from_mins(1);
        // The last one follows the commit that ends the execution.
        while manifests(&setup) < objects && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(manifests(&setup), objects, "{handoff}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_may_not_do_is_left_to_the_planner() {
    let counter = Counter::new("planner");
    let setup = setup(Handoff::Direct, &counter).await;
    let steps = [
        step("First", "step", &json!({"Value": 1})),
        // A time limit asks for a call at a later time, from a queue.
        json!({"Name": "Limited", "Type": "Lambda", "FunctionArn": "step", "TimeoutSeconds": 60,
            "Arguments": {"Value": of("First")},
            "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]}),
        step("Last", "step", &json!({"Value": of("Limited")})),
    ];
    assert_succeeded(&setup.run(request(&steps, false)).await, 3);
    let steps = &counter.usage()["step"];
    assert_eq!(steps.count("Lambda", "Invoke"), 1, "of `Last`, by `Limited`: {steps:#?}");
    assert_eq!(counter.usage()["planner"].count("Lambda", "Invoke"), 2);
}
