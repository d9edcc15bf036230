//! Start, describe, stop, retry and update executions, and list their steps.

use serde_json::{Value, json};

use crate::server::{Server, column, definition, step};

fn of(arn: &Value) -> Value {
    json!({ "PipelineExecutionArn": arn })
}

#[tokio::test]
async fn an_execution_runs_from_its_start_to_its_end() {
    let server = Server::new();
    let text = definition(&[step("One", None), step("Two", Some("One"))]);
    let pipeline = server.create("flights", &text).await;
    let start = json!({
        "PipelineName": "flights",
        "PipelineExecutionDisplayName": "january",
        "PipelineExecutionDescription": "by hand",
        "PipelineParameters": [{ "Name": "Month", "Value": "2013-02" }],
        "ClientRequestToken": server.token(),
    });
    let arn = server.ok("StartPipelineExecution", start).await["PipelineExecutionArn"].clone();
    assert!(arn.as_str().unwrap().starts_with(&format!("{}/", pipeline.as_str().unwrap())));

    let found = server.ok("DescribePipelineExecution", of(&arn)).await;
    let expected = json!({
        "PipelineArn": pipeline,
        "PipelineExecutionArn": arn,
        "PipelineExecutionDisplayName": "january",
        "PipelineExecutionDescription": "by hand",
        "PipelineExecutionStatus": "Executing",
        "CreationTime": 1_700_000_000.0,
        "LastModifiedTime": 1_700_000_000.0,
        "CreatedBy": {},
        "LastModifiedBy": {},
        "PipelineVersionId": 1,
        "PipelineVersionAliases": [],
    });
    assert_eq!(found, expected);
    let steps = server.ok("ListPipelineExecutionSteps", of(&arn)).await;
    let names = column(&steps, "PipelineExecutionSteps", "StepName");
    assert_eq!(names, ["One"], "a step that has not started is not listed");

    assert_eq!(server.succeed().await, 2);
    assert_eq!(server.status(&arn).await, "Succeeded");
    let oldest_first = json!({ "PipelineExecutionArn": arn, "SortOrder": "Ascending" });
    let steps = server.ok("ListPipelineExecutionSteps", oldest_first).await;
    let expected = json!({
        "StepName": "One",
        "StartTime": 1_700_000_000.0,
        "EndTime": 1_700_000_001.0,
        "StepStatus": "Succeeded",
        "AttemptCount": 1,
        "Metadata": { "Lambda": {
            "Arn": "work",
            "OutputParameters": [{ "Name": "Rows", "Value": "3" }],
        } },
    });
    assert_eq!(steps["PipelineExecutionSteps"][0], expected);

    let parameters = server.ok("ListPipelineParametersForExecution", of(&arn)).await;
    let expected = json!({ "PipelineParameters": [{ "Name": "Month", "Value": "2013-02" }] });
    assert_eq!(parameters, expected);
    let kept = server.ok("DescribePipelineDefinitionForExecution", of(&arn)).await;
    assert_eq!(kept["PipelineDefinition"], text.to_string());
}

#[tokio::test]
async fn a_failed_execution_says_why_and_is_retried() {
    let server = Server::new();
    server.create("flights", &definition(&[step("One", None)])).await;
    let arn = server.start("flights").await;
    assert!(server.fail().await > 0);
    let failed = server.ok("DescribePipelineExecution", of(&arn)).await;
    assert_eq!(failed["PipelineExecutionStatus"], "Failed");
    let steps = server.ok("ListPipelineExecutionSteps", of(&arn)).await;
    assert_eq!(column(&steps, "PipelineExecutionSteps", "StepStatus"), ["Failed"]);
    assert_eq!(column(&steps, "PipelineExecutionSteps", "FailureReason"), ["no rows"]);

    let mut retry = of(&arn);
    retry["ClientRequestToken"] = json!(server.token());
    server.ok("RetryPipelineExecution", retry.clone()).await;
    assert_eq!(server.status(&arn).await, "Executing");
    assert_eq!(server.succeed().await, 1);
    assert_eq!(server.status(&arn).await, "Succeeded");
    retry["ClientRequestToken"] = json!(server.token());
    assert_eq!(server.refused("RetryPipelineExecution", retry).await.0, "ConflictException");
}

#[tokio::test]
async fn a_stopped_execution_starts_no_further_step() {
    let server = Server::new();
    let steps = [step("One", None), step("Two", Some("One"))];
    server.create("flights", &definition(&steps)).await;
    let arn = server.start("flights").await;
    let mut stop = of(&arn);
    stop["ClientRequestToken"] = json!(server.token());
    server.ok("StopPipelineExecution", stop.clone()).await;
    assert_eq!(server.status(&arn).await, "Stopping");
    assert_eq!(server.succeed().await, 1, "the running step finishes");
    assert_eq!(server.status(&arn).await, "Stopped");
    stop["ClientRequestToken"] = json!(server.token());
    assert_eq!(server.refused("StopPipelineExecution", stop).await.0, "ConflictException");
}

#[tokio::test]
async fn name_and_description_change_and_parallelism_does_not() {
    let server = Server::new();
    server.create("flights", &definition(&[step("One", None)])).await;
    let arn = server.start("flights").await;
    let update = json!({
        "PipelineExecutionArn": arn,
        "PipelineExecutionDisplayName": "january",
        "PipelineExecutionDescription": "later",
    });
    assert_eq!(server.ok("UpdatePipelineExecution", update).await, of(&arn));
    let found = server.ok("DescribePipelineExecution", of(&arn)).await;
    assert_eq!(found["PipelineExecutionDisplayName"], "january");
    assert_eq!(found["PipelineExecutionDescription"], "later");
    let update = json!({
        "PipelineExecutionArn": arn,
        "ParallelismConfiguration": { "MaxParallelExecutionSteps": 3 },
    });
    let (code, text) = server.refused("UpdatePipelineExecution", update).await;
    assert_eq!(code, "ValidationException");
    assert!(text.contains("ParallelismConfiguration"), "{text}");
}

#[tokio::test]
async fn a_selection_reuses_the_other_steps_of_its_source() {
    let server = Server::new();
    let steps = [step("One", None), step("Two", Some("One"))];
    server.create("flights", &definition(&steps)).await;
    let source = server.start("flights").await;
    assert_eq!(server.succeed().await, 2);
    let start = json!({
        "PipelineName": "flights",
        "SelectiveExecutionConfig": {
            "SelectedSteps": [{ "StepName": "Two" }],
            "SourcePipelineExecutionArn": source,
        },
        "ClientRequestToken": server.token(),
    });
    let arn = server.ok("StartPipelineExecution", start).await["PipelineExecutionArn"].clone();
    assert_eq!(server.succeed().await, 1, "only the selected step runs");
    let found = server.ok("DescribePipelineExecution", of(&arn)).await;
    let expected = json!({
        "SelectedSteps": [{ "StepName": "Two" }],
        "SourcePipelineExecutionArn": source,
    });
    assert_eq!(found["SelectiveExecutionConfig"], expected);
}

#[tokio::test]
async fn a_step_whose_function_cannot_run_here_is_skipped() {
    let server = Server::new();
    let mut broken = step("One", None);
    broken["FunctionArn"] = json!("broken");
    server.create("flights", &definition(&[broken, step("Two", None)])).await;
    let arn = server.start("flights").await;
    assert_eq!(server.succeed().await, 1, "the other step runs");
    assert_eq!(server.status(&arn).await, "Succeeded");
    let steps = server.ok("ListPipelineExecutionSteps", of(&arn)).await;
    assert_eq!(column(&steps, "PipelineExecutionSteps", "StepName"), ["Two"]);
}
