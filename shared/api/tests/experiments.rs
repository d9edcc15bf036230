//! Names of experiments: `PipelineExperimentConfig`, `MlflowConfig`, and run conditions' status.

use serde_json::{Value, json};

use crate::server::{Server, definition, step};

const ARN: &str = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app-1";

/// Starts a pipeline with these parts of its definition, and describes the execution.
async fn described(parts: &Value, start: &Value) -> Value {
    let server = Server::new();
    let mut text = definition(&[step("A", None)]);
    text["Parameters"].as_array_mut().unwrap().push(
        json!({ "Name": "Secret", "Type": "String", "DefaultValue": "hush", "NoEcho": true }),
    );
    text.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    server.create("Flights", &text).await;
    let mut body = json!({ "PipelineName": "Flights", "ClientRequestToken": server.token() });
    body.as_object_mut().unwrap().extend(start.as_object().unwrap().clone());
    let arn = server.ok("StartPipelineExecution", body).await["PipelineExecutionArn"].clone();
    let mut found =
        server.ok("DescribePipelineExecution", json!({ "PipelineExecutionArn": arn })).await;
    found["Id"] = json!(arn.as_str().unwrap().rsplit('/').next().unwrap());
    found
}

#[tokio::test]
async fn experiment_names_are_described_as_they_are_in_the_execution() {
    let get = |path: &str| json!({ "Get": path });
    let join = json!({ "Std:Join": { "On": "-", "Values": ["Delays", get("Parameters.Month")] } });
    let month = json!([{ "Name": "Month", "Value": "2013-02" }]);
    let id = get("Execution.PipelineExecutionId");
    for (experiment, trial, name, shown) in [
        (get("Execution.PipelineName"), id.clone(), "flights", None),
        (join, json!("T1"), "delays-2013-02", Some("T1")),
        (get("Parameters.Month"), id, "2013-02", None),
        (json!("Exp"), get("Parameters.Secret"), "exp", Some("****")),
    ] {
        let config = json!({ "PipelineExperimentConfig": {
            "ExperimentName": experiment, "TrialName": trial } });
        let found = described(&config, &json!({ "PipelineParameters": month })).await;
        let trial = shown.map_or(found["Id"].clone(), Value::from);
        let expected = json!({ "ExperimentName": name, "TrialName": trial });
        assert_eq!(found["PipelineExperimentConfig"], expected, "{config}");
    }
    for config in [json!({}), json!({ "PipelineExperimentConfig": null, "MlflowConfig": null })] {
        let found = described(&config, &json!({})).await;
        for member in ["PipelineExperimentConfig", "MLflowConfig"] {
            assert!(found.get(member).is_none(), "{config}: {found}");
        }
    }
}

#[tokio::test]
async fn the_mlflow_experiment_of_a_start_overrides_that_of_the_definition() {
    let month = json!({ "Get": "Parameters.Month" });
    let defined = json!({ "MlflowResourceArn": ARN, "MlflowExperimentName": month });
    let bare = json!({ "MlflowResourceArn": ARN, "MlflowExperimentName": null });
    let given = json!({ "MlflowExperimentName": "given" });
    for (config, start, expected) in [
        (
            &defined,
            json!({}),
            json!({ "MlflowResourceArn": ARN, "MlflowExperimentName": "2013-01" }),
        ),
        (
            &defined,
            given.clone(),
            json!({ "MlflowResourceArn": ARN, "MlflowExperimentName": "given" }),
        ),
        (&bare, json!({}), json!({ "MlflowResourceArn": ARN })),
        (
            &bare,
            given.clone(),
            json!({ "MlflowResourceArn": ARN, "MlflowExperimentName": "given" }),
        ),
        (&Value::Null, given, json!({ "MlflowExperimentName": "given" })),
    ] {
        let found = described(&json!({ "MlflowConfig": config }), &start).await;
        assert_eq!(found["MLflowConfig"], expected, "{config} {start}");
    }
    let server = Server::new();
    server.create("flights", &definition(&[step("A", None)])).await;
    for name in [String::new(), "x".repeat(257)] {
        let body = json!({ "PipelineName": "flights", "ClientRequestToken": server.token(),
            "MlflowExperimentName": name });
        let (code, text) = server.refused("StartPipelineExecution", body).await;
        assert_eq!(code, "ValidationException");
        assert!(text.contains("mlflowExperimentName"), "{text}");
    }
}

#[tokio::test]
async fn an_execution_whose_failures_others_waited_for_completes_with_failures() {
    let server = Server::new();
    let mut notify = step("Notify", None);
    notify["DependsOn"] = json!([{ "Step": "A", "Trigger": "Failed" }]);
    server.create("flights", &definition(&[step("A", None), notify])).await;
    let arn = server.start("flights").await;
    server.fail_once().await;
    assert_eq!(server.succeed().await, 1);
    let of = json!({ "PipelineExecutionArn": arn });
    let found = server.ok("DescribePipelineExecution", of.clone()).await;
    assert_eq!(found["PipelineExecutionStatus"], "CompletedWithFailures");
    assert!(found["FailureReason"].as_str().unwrap().starts_with("Step failure: One or multiple"));
    let listed = server.ok("ListPipelineExecutions", json!({ "PipelineName": "flights" })).await;
    let line = &listed["PipelineExecutionSummaries"][0];
    assert_eq!(line["PipelineExecutionStatus"], "CompletedWithFailures");
    let stop = json!({ "PipelineExecutionArn": arn, "ClientRequestToken": server.token() });
    let (code, text) = server.refused("StopPipelineExecution", stop).await;
    assert_eq!(code, "ConflictException");
    assert!(text.contains("CompletedWithFailures"), "{text}");

    // Resumed, it is the same execution, and what ran because of the failure waits again.
    let retry = json!({ "PipelineExecutionArn": arn, "ClientRequestToken": server.token() });
    server.ok("RetryPipelineExecution", retry).await;
    assert_eq!(server.succeed().await, 1);
    assert_eq!(server.status(&arn).await, "Succeeded");
    let steps = server.ok("ListPipelineExecutionSteps", of).await;
    let names = crate::server::column(&steps, "PipelineExecutionSteps", "StepName");
    assert_eq!(names, ["A"], "a step that is skipped is not listed");
}
