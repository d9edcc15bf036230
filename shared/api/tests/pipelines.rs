//! Create, update, describe, version and delete pipelines.

use serde_json::{Value, json};

use crate::server::{ROLE, Server, column, definition, step};

#[tokio::test]
async fn a_pipeline_is_described_as_it_was_created() {
    let server = Server::new();
    let one = definition(&[step("One", None)]);
    let body = json!({
        "PipelineName": "flights",
        "PipelineDisplayName": "Flights",
        "PipelineDescription": "Monthly",
        "RoleArn": ROLE,
        "PipelineDefinition": one.to_string(),
        "ParallelismConfiguration": { "MaxParallelExecutionSteps": 2 },
        "PipelineVersionAliases": ["stable"],
        "ClientRequestToken": server.token(),
    });
    let arn = server.ok("CreatePipeline", body).await["PipelineArn"].clone();
    assert_eq!(arn, "arn:aws:sagemaker:us-east-1:000000000000:pipeline/flights");
    let expected = json!({
        "PipelineArn": arn,
        "PipelineName": "flights",
        "PipelineDisplayName": "Flights",
        "PipelineDescription": "Monthly",
        "PipelineDefinition": one.to_string(),
        "RoleArn": ROLE,
        "PipelineStatus": "Active",
        "CreationTime": 1_700_000_000.0,
        "LastModifiedTime": 1_700_000_000.0,
        "CreatedBy": {},
        "LastModifiedBy": {},
        "ParallelismConfiguration": { "MaxParallelExecutionSteps": 2 },
        "PipelineVersionAliases": ["stable"],
    });
    for name in [&json!("flights"), &arn] {
        let found = server.ok("DescribePipeline", json!({ "PipelineName": name })).await;
        assert_eq!(found, expected, "a member without a value is left out");
    }
}

#[tokio::test]
async fn an_update_adds_a_version_only_for_another_definition() {
    let server = Server::new();
    let arn = server.create("flights", &definition(&[step("One", None)])).await;
    let two = definition(&[step("Two", None)]).to_string();
    let update = |aliases: Value| {
        let body = json!({
            "PipelineName": "flights",
            "PipelineDefinition": two,
            "PipelineVersionAliases": aliases,
        });
        server.ok("UpdatePipeline", body)
    };
    assert_eq!(update(json!([])).await["PipelineVersionId"], 2);
    assert_eq!(update(json!(["next"])).await["PipelineVersionId"], 2);

    let listed = server.ok("ListPipelineVersions", json!({ "PipelineName": arn })).await;
    let versions = "PipelineVersionSummaries";
    assert_eq!(column(&listed, versions, "PipelineVersionId"), [2, 1]);
    assert_eq!(column(&listed, versions, "PipelineVersionAliases"), [&json!(["next"]), &json!([])]);
    for (chosen, step_name) in [
        (json!({ "PipelineName": "flights" }), "Two"),
        (json!({ "PipelineName": "flights", "PipelineVersionId": 1 }), "One"),
        (json!({ "PipelineName": "flights", "PipelineVersionAlias": "next" }), "Two"),
    ] {
        let found = server.ok("DescribePipeline", chosen).await;
        let text = found["PipelineDefinition"].as_str().unwrap();
        assert!(text.contains(step_name), "{text}");
    }

    let change = json!({
        "PipelineArn": arn,
        "PipelineVersionId": 1,
        "PipelineVersionDisplayName": "first",
        "PipelineVersionAliasOperations": { "Add": ["stable"] },
    });
    assert_eq!(server.ok("UpdatePipelineVersion", change).await["PipelineVersionId"], 1);
    let first = json!({ "PipelineName": "flights", "PipelineVersionAlias": "stable" });
    let found = server.ok("DescribePipeline", first).await;
    assert_eq!(found["PipelineVersionDisplayName"], "first");
}

#[tokio::test]
async fn a_deleted_pipeline_is_gone_until_it_is_created_again() {
    let server = Server::new();
    let one = definition(&[step("One", None)]);
    server.create("flights", &one).await;
    let running = server.start("flights").await;
    let delete = || json!({ "PipelineName": "flights", "ClientRequestToken": server.token() });
    let (code, text) = server.refused("DeletePipeline", delete()).await;
    assert_eq!(code, "ConflictException");
    assert!(text.contains(running.as_str().unwrap()), "{text}");
    assert_eq!(server.succeed().await, 1);
    server.ok("DeletePipeline", delete()).await;

    let named = || json!({ "PipelineName": "flights" });
    for operation in ["DescribePipeline", "ListPipelineVersions", "ListPipelineExecutions"] {
        let (code, text) = server.refused(operation, named()).await;
        assert_eq!(code, "ResourceNotFound", "{operation}: {text}");
    }
    let arn = json!({ "PipelineExecutionArn": running });
    assert_eq!(server.refused("DescribePipelineExecution", arn).await.0, "ResourceNotFound");
    server.create("flights", &one).await;
    let listed = server.ok("ListPipelineExecutions", named()).await;
    assert_eq!(listed["PipelineExecutionSummaries"], json!([]), "the old execution stays hidden");
}

#[tokio::test]
async fn one_token_gives_one_answer() {
    let server = Server::new();
    let token = server.token();
    let create = |name: &str| {
        json!({
            "PipelineName": name,
            "RoleArn": ROLE,
            "PipelineDefinition": definition(&[step("One", None)]).to_string(),
            "ClientRequestToken": token,
        })
    };
    let first = server.ok("CreatePipeline", create("flights")).await;
    assert_eq!(server.ok("CreatePipeline", create("flights")).await, first);
    let (code, _) = server.refused("CreatePipeline", create("other")).await;
    assert_eq!(code, "ConflictException");
    let mut again = create("flights");
    again["ClientRequestToken"] = json!(server.token());
    let (code, text) = server.refused("CreatePipeline", again).await;
    assert_eq!(code, "ValidationException");
    assert!(text.contains("already exists"), "{text}");

    let start = json!({ "PipelineName": "flights", "ClientRequestToken": server.token() });
    let arn = server.ok("StartPipelineExecution", start.clone()).await;
    assert_eq!(server.ok("StartPipelineExecution", start).await, arn);
    let listed = server.ok("ListPipelineExecutions", json!({ "PipelineName": "flights" })).await;
    let started = column(&listed, "PipelineExecutionSummaries", "StartTime");
    assert_eq!(started, [&json!(1_700_000_000.0)], "one start for two requests");
}
