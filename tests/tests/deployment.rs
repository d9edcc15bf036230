//! Whole executions on the embedded cloud.
//!
//! The step is a plain Lambda function, and the planner is the binary that is deployed.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sidestep_core::name::{ExecutionId, FunctionName};
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::view::description::ExecutionDescription;
use sidestep_engine::engine::Engine;
use sidestep_engine::start::StartRequest;
use sidestep_local::cloud::Cloud;
use sidestep_local::deployment::{Planner, planner_environment};
use sidestep_local::lambda::{Code, Command, FunctionConfig, RecursiveLoop};
use sidestep_testkit::example::example;

use crate::setup::{self, Setup};

fn functions() -> Vec<FunctionConfig> {
    vec![setup::hasty_function(env!("CARGO_BIN_EXE_test-step"))]
}

async fn setup(planner: Planner) -> Setup {
    Setup::new(planner, Handoff::Event, functions()).await
}

async fn start(folder: &Path, planner: Planner) -> (Cloud, Arc<Engine>) {
    setup::start(folder, planner, Handoff::Event, functions()).await
}

fn definition(steps: &Value) -> Value {
    json!({"Version": "2020-12-01", "CacheConfig": {"Enabled": true}, "Steps": steps})
}

fn request(steps: &Value) -> StartRequest {
    setup::request(&definition(steps))
}

fn step(name: &str, arguments: &Value) -> Value {
    json!({"Name": name, "Type": "Lambda", "FunctionArn": "step", "Arguments": arguments,
        "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
}

/// Returns a chain of three steps that pass their values on.
fn chain() -> Value {
    // Equal steps share a result, so each says which it is.
    let value = |name: &str, of: &str| {
        let value = json!({"Get": format!("Steps.{of}.OutputParameters['Value']")});
        step(name, &json!({"Value": value, "Step": name}))
    };
    json!([step("A", &json!({"Value": 7})), value("B", "A"), value("C", "B")])
}

async fn run(setup: &Setup, steps: &Value) -> ExecutionDescription {
    setup.run(request(steps)).await
}

/// Returns true for a variable by which cargo tells a test about its own package.
fn is_of_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// Builds the deployed planner by cargo, as a user would.
fn binary(package: &str) -> Command {
    let mut cargo = Process::new(env!("CARGO"));
    // A build script that heeds these, as `ring`'s does, would run again.
    for (name, _) in std::env::vars().filter(|(name, _)| is_of_package(name)) {
        cargo.env_remove(name);
    }
    let output = cargo
        .args(["build", "--quiet", "--message-format=json", "--package", package])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).unwrap();
    let executable = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_wanted = message["target"]["name"] == package;
        message["executable"].as_str().filter(|_| is_wanted).map(PathBuf::from)
    });
    Command {
        program: executable.expect("cargo names the executable"),
        environment: planner_environment(),
        ..Command::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_planners_binary_runs_a_pipeline_of_plain_lambda_functions() {
    let planner = Box::new(binary("sidestep-planner"));
    let trigger = Box::new(binary("sidestep-trigger"));
    let setup = setup(Planner::Binaries { planner, trigger }).await;
    let first = run(&setup, &chain()).await;
    assert_eq!(first.pipeline_execution_status, "Succeeded", "{first:#?}");
    assert_eq!(first.steps[2].output_parameters["Value"], 7);
    assert_eq!(first.summary.run, 3);
    setup.cloud.shutdown(Duration::ZERO).await;
}

/// Returns forty steps of one function in a chain: the planner is invoked after each of them.
fn long_chain() -> Value {
    let one = |number: usize| {
        let mut one = step(&format!("S{number}"), &json!({"Value": number}));
        if number > 0 {
            one["DependsOn"] = json!([format!("S{}", number - 1)]);
        }
        one
    };
    (0..40).map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_forty_steps_survives_lambdas_guard_because_the_planner_is_allowed_to_recur() {
    let (planner, trigger) = (binary("sidestep-planner"), binary("sidestep-trigger"));
    let (planner, trigger) = (Box::new(planner), Box::new(trigger));
    let binaries = Planner::Binaries { planner: planner.clone(), trigger };
    let setup = setup(binaries).await;
    let first = run(&setup, &long_chain()).await;
    assert_eq!(first.pipeline_execution_status, "Succeeded", "{first:#?}");
    assert_eq!(first.summary.run, 40);
    let dropped = || setup.cloud.lambda().counts().recursive_invocations_dropped;
    assert_eq!(dropped(), 0);

    // The same planner under Lambda's default.
    let name = FunctionName::parse("sidestep-planner").unwrap();
    let mut guarded = FunctionConfig::new(name, Code::Process(*planner));
    guarded.timeout = Duration::from_mins(1);
    guarded.recursive_loop = RecursiveLoop::Terminate;
    setup.cloud.lambda().register(guarded).unwrap();
    let mut again = request(&long_chain());
    again.use_cache = false;
    let prepared = setup.engine.prepare(again).await.unwrap();
    let id = setup.engine.begin(prepared).await.unwrap();
    setup::eventually("the 17th visit is dropped", || dropped() == 1).await;
    let cut_off = setup.engine.describe(&id).await.unwrap();
    assert_eq!(cut_off.pipeline_execution_status, "Executing");
    assert_eq!(cut_off.steps[16].step_status, Some("Executing"), "its report was dropped");
    assert_eq!(cut_off.steps[17].step_status, None, "{cut_off:#?}");
    setup.cloud.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_with_nothing_changed_invokes_no_function() {
    let setup = setup(Planner::InProcess).await;
    let first = run(&setup, &chain()).await;
    assert_eq!(
        (first.summary.run, first.pipeline_execution_status),
        (3, "Succeeded"),
        "{first:#?}"
    );
    let before = setup.invocations();
    let second = run(&setup, &chain()).await;
    assert_eq!((second.summary.run, second.summary.cache_hit), (0, 3), "{second:#?}");
    assert_eq!(setup.invocations(), before);
    assert_eq!(second.steps[2].output_parameters["Value"], 7);
    setup.cloud.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_steps_of_one_pipeline_share_a_result() {
    let setup = setup(Planner::InProcess).await;
    let second = step("B", &json!({"Value": {"Get": "Steps.A.OutputParameters['Value']"}}));
    let description = run(&setup, &json!([step("A", &json!({"Value": 7})), second])).await;
    assert_eq!(
        (description.summary.run, description.summary.cache_hit),
        (1, 1),
        "{description:#?}"
    );
    setup.cloud.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_dies_or_hangs_fails_its_step_with_a_reason() {
    let setup = setup(Planner::InProcess).await;
    for (what, expected) in [("fail", "asked to fail"), ("die", "exit"), ("hang", "timed out")] {
        let description = run(&setup, &json!([step("A", &json!({ "Do": what }))])).await;
        assert_eq!(description.pipeline_execution_status, "Failed", "{what}");
        let reason = description.steps[0].failure_reason.clone().unwrap();
        assert!(reason.to_lowercase().contains(expected), "{what}: {reason}");
    }
    setup.cloud.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_was_cut_off_goes_on_and_finished_steps_do_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut steps = chain();
    steps[1]["Arguments"]["Do"] = json!("hang");
    let mut child = Process::new(example("sidestep-tests", "hanging_execution"))
        .arg(folder.path())
        .args([env!("CARGO_BIN_EXE_test-step"), &definition(&steps).to_string()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    // On Unix this is SIGKILL: no code of the child runs after it.
    child.kill().unwrap();
    child.wait().unwrap();
    let id = ExecutionId::parse(line.trim()).unwrap();

    let (cloud, engine) = start(folder.path(), Planner::InProcess).await;
    engine.resume(&id, sidestep_engine::sweep::Leases::All).await.unwrap();
    let description = setup::end(&engine, &id).await;
    assert_eq!(description.steps[0].attempt_count, 1, "A had finished: {description:#?}");
    assert_eq!(
        description.steps[1].attempt_count, 2,
        "B was lost and began again: {description:#?}"
    );
    assert_eq!(description.pipeline_execution_status, "Failed", "B hangs again and is timed out");
    cloud.shutdown(Duration::ZERO).await;
}
