//! `ExactlyOnceStart`, end to end: a function counts its runs in a file, however often it is
//! invoked.

use std::path::Path;

use futures::future::join_all;
use serde_json::{Value, json};
use sidestep_core::plan::handoff::Handoff;
use sidestep_engine::error::{EngineError, StartError};
use sidestep_engine::start::StartRequest;
use sidestep_local::deployment::Planner;
use sidestep_local::lambda::InvocationType;

use crate::setup::{self, Setup};

/// Starts a cloud with a function that declares the step SDK, and one that does not.
async fn setup(handoff: Handoff) -> Setup {
    let step = setup::sdk_function("step", env!("CARGO_BIN_EXE_noop-step"));
    let plain = setup::function("plain", env!("CARGO_BIN_EXE_noop-step"));
    Setup::new(Planner::InProcess, handoff, vec![step, plain]).await
}

fn request(function: &str, file: &Path) -> StartRequest {
    let step = json!({"Name": "Pay", "Type": "Lambda", "FunctionArn": function, "ExactlyOnceStart": true,
        "Arguments": {"CountIn": file, "Value": 1}});
    setup::request(&json!({"Version": "2020-12-01", "Steps": [step]}))
}

/// Delivers the step's first attempt once more.
async fn deliver(setup: &Setup, id: &str, file: &Path) -> Value {
    let prefix = format!("s3://sidestep-artifacts/runs/test/{id}/Pay/1/");
    let event = json!({"CountIn": file, "Sidestep": {"ExecutionId": id, "PipelineName": "test", "StepName": "Pay",
        "AttemptCount": 1, "OutputPrefix": prefix, "Token": "forged", "DeadlineMs": 0, "ExactlyOnceStart": true}});
    let invocation = InvocationType::RequestResponse;
    let answer = setup.cloud.lambda().invoke("step", event.to_string(), invocation).await;
    serde_json::from_slice(&answer.unwrap().payload).unwrap()
}

fn runs(file: &Path) -> usize {
    std::fs::read(file).unwrap_or_default().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_may_start_once_runs_once_however_often_it_is_delivered() {
    for handoff in [Handoff::Event, Handoff::Direct] {
        let (setup, folder) = (setup(handoff).await, tempfile::tempdir().unwrap());
        let file = folder.path().join("runs");
        let execution = setup.run(request("step", &file)).await;
        assert_eq!(execution.pipeline_execution_status, "Succeeded", "{execution:#?}");
        assert_eq!(runs(&file), 1);
        let id = execution.pipeline_execution_arn.rsplit('/').next().unwrap();
        let again = deliver(&setup, id, &file).await;
        assert!(again["Sidestep"]["Discarded"].is_string(), "{again}");
        assert_eq!(runs(&file), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_deliveries_at_one_time_one_runs() {
    let (setup, folder) = (setup(Handoff::Event).await, tempfile::tempdir().unwrap());
    let file = folder.path().join("runs");
    let answers = join_all((0..8).map(|_| deliver(&setup, "abcdefghijkl", &file))).await;
    let retired = answers.iter().filter(|answer| answer["Sidestep"]["Discarded"].is_string());
    assert_eq!((runs(&file), retired.count()), (1, 7), "{answers:#?}");
    assert_eq!(setup.invocations(), 8, "each was delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_cannot_note_its_start_is_refused_before_anything_is_written() {
    let (setup, folder) = (setup(Handoff::Event).await, tempfile::tempdir().unwrap());
    let request = request("plain", &folder.path().join("runs"));
    let error = setup.engine.prepare(request).await.unwrap_err();
    let EngineError::Start(error @ StartError::NotOnce(_)) = &error else { panic!("{error:?}") };
    let text = error.to_string();
    assert!(text.ends_with("without a step SDK: `Pay` (function `plain`)"), "{text}");
    assert_eq!(setup.engine.executions().list(None, 10).await.unwrap(), []);
}
