//! Requests that are refused, each with the exception that SageMaker's clients expect.

use serde_json::{Value, json};
use sidestep_api::Operation;

use crate::server::{ROLE, Server, definition, step};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const EXECUTION: &str =
    "arn:aws:sagemaker:us-east-1:000000000000:pipeline/flights/execution/abcdefghijkl";

/// An operation, its request, the exception's type, and a part of its text.
type Case = (&'static str, Value, &'static str, &'static str);

fn create(definition: &str) -> Value {
    json!({
        "PipelineName": "new",
        "RoleArn": ROLE,
        "PipelineDefinition": definition,
        "ClientRequestToken": TOKEN,
    })
}

#[tokio::test]
async fn a_wrong_request_about_a_pipeline_is_answered_with_its_exception() {
    let server = Server::new();
    let arn = server.create("flights", &definition(&[step("One", None)])).await;
    let cases: &[Case] = &[
        (
            "DescribePipeline",
            json!({}),
            "ValidationException",
            "1 validation error detected: Value null at 'pipelineName' failed to satisfy constraint: Member must not be null",
        ),
        (
            "DescribePipeline",
            json!({ "PipelineName": "a_b" }),
            "ValidationException",
            "Value 'a_b' at 'pipelineName' failed to satisfy constraint: Member must satisfy regular expression pattern",
        ),
        (
            "DescribePipeline",
            json!({ "PipelineName": "never" }),
            "ResourceNotFound",
            "Pipeline 'arn:aws:sagemaker:us-east-1:000000000000:pipeline/never' does not exist.",
        ),
        (
            "DescribePipeline",
            json!({ "PipelineName": "flights", "PipelineVersionId": 2 }),
            "ResourceNotFound",
            "Pipeline 'flights' has no version 2.",
        ),
        (
            "DescribePipeline",
            json!({ "PipelineName": 5 }),
            "SerializationException",
            "at 'PipelineName': invalid type: integer `5`, expected a string",
        ),
        (
            "CreatePipeline",
            create("{"),
            "ValidationException",
            "Unable to parse pipeline definition. /",
        ),
        (
            "CreatePipeline",
            json!({ "PipelineName": "new", "RoleArn": ROLE }),
            "ValidationException",
            "Value null at 'clientRequestToken' failed to satisfy constraint: Member must not be null",
        ),
        (
            "CreatePipeline",
            json!({ "PipelineName": "new", "RoleArn": ROLE, "ClientRequestToken": TOKEN }),
            "ValidationException",
            "Either PipelineDefinition or PipelineDefinitionS3Location must be given.",
        ),
        (
            "CreatePipeline",
            json!({ "ClientRequestToken": 5 }),
            "SerializationException",
            "at 'ClientRequestToken': expected a string",
        ),
        (
            "ListPipelines",
            json!({ "MaxResults": 0, "SortOrder": "Up" }),
            "ValidationException",
            "2 validation errors detected: ",
        ),
        (
            "UpdatePipelineVersion",
            json!({
                "PipelineArn": arn,
                "PipelineVersionId": 1,
                "PipelineVersionAliasOperations": { "Add": ["42"] },
            }),
            "ValidationException",
            "Pipeline version alias '42' must not be digits only.",
        ),
        (
            "AddTags",
            json!({ "ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:model/m", "Tags": [] }),
            "ValidationException",
            "'resourceArn'",
        ),
        (
            "CreateTrainingJob",
            json!({}),
            "UnknownOperationException",
            "sidestep does not have operation 'CreateTrainingJob'.",
        ),
    ];
    check(&server, cases).await;
}

#[tokio::test]
async fn a_wrong_request_about_an_execution_is_answered_with_its_exception() {
    let server = Server::new();
    server.create("flights", &definition(&[step("One", None)])).await;
    let cases: &[Case] = &[
        (
            "StartPipelineExecution",
            json!({
                "PipelineName": "flights",
                "ClientRequestToken": TOKEN,
                "PipelineParameters": [{ "Name": "Year", "Value": "2013" }],
            }),
            "ValidationException",
            "Year",
        ),
        (
            "StartPipelineExecution",
            json!({
                "PipelineName": "flights",
                "ClientRequestToken": TOKEN,
                "PipelineParameters": [
                    { "Name": "Month", "Value": "1" },
                    { "Name": "Month", "Value": "2" },
                ],
            }),
            "ValidationException",
            "Parameter 'Month' is given twice.",
        ),
        (
            "DescribePipelineExecution",
            json!({ "PipelineExecutionArn": EXECUTION }),
            "ResourceNotFound",
            "Pipeline execution with ARN 'arn:aws:sagemaker:us-east-1:000000000000:pipeline/flights/execution/abcdefghijkl' does not exist.",
        ),
    ];
    check(&server, cases).await;
}

async fn check(server: &Server, cases: &[Case]) {
    for (operation, body, code, text) in cases {
        let refused = server.refused(operation, body.clone()).await;
        assert_eq!(refused.0, *code, "{operation} {body}: {}", refused.1);
        assert!(refused.1.contains(text), "{operation} {body}: {}", refused.1);
    }
}

#[tokio::test]
async fn the_spelling_of_the_text_is_the_service_models() {
    let server = Server::new();
    for (body, member) in [(json!({ "PipelineName": "never" }), "Message"), (json!({}), "message")]
    {
        let (_, answer) = server.ask("DescribePipeline", &body).await;
        assert!(answer.get(member).is_some(), "{answer}");
        assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    }
}

#[tokio::test]
async fn every_operation_refuses_a_body_that_is_no_object_and_is_in_the_list_of_all() {
    let server = Server::new();
    let (_, text) = server.refused("CreateModel", json!({})).await;
    for operation in Operation::ALL {
        let name = operation.name();
        assert!(text.contains(name), "{text}");
        let (code, text) = server.refused(name, json!([1])).await;
        assert_eq!(code, "SerializationException", "{name}: {text}");
    }
    assert!(Operation::ALL.is_sorted_by_key(|operation| operation.name()));
    assert_eq!(Operation::ALL.len(), 21);
}
