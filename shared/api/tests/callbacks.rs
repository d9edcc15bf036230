//! Answers to Callback steps.

use serde_json::{Value, json};
use sidestep_testkit::memory::Message;

use crate::server::{QUEUE, Server, definition};

/// Starts a pipeline with a Callback step and a reader of its output `By`, and returns the
/// execution's ARN and the step's token.
async fn wait(server: &Server) -> (Value, Value) {
    let approve = json!({
        "Name": "Approve",
        "Type": "Callback",
        "SqsQueueUrl": QUEUE,
        "Arguments": {},
        "OutputParameters": [{ "OutputName": "By", "OutputType": "String" }],
    });
    let by = json!({ "Get": "Steps.Approve.OutputParameters['By']" });
    let condition = json!({ "Type": "Equals", "LeftValue": by, "RightValue": "Ada" });
    let check = json!({
        "Name": "Check",
        "Type": "Condition",
        "Arguments": { "Conditions": [condition] },
    });
    server.create("flights", &definition(&[approve, check])).await;
    let arn = server.start("flights").await;
    let sent = server.queues.take();
    let token = sent.iter().find_map(|message| match message {
        Message::Callback { body, .. } => Some(body["token"].clone()),
        Message::Wake { .. } => None,
    });
    (arn, token.unwrap())
}

#[tokio::test]
async fn a_callback_succeeds_with_outputs_or_fails_with_a_reason() {
    let success = json!({ "OutputParameters": [{ "Name": "By", "Value": "Ada" }] });
    let failure = json!({ "FailureReason": "too few rows" });
    for (operation, mut body, status, shown) in [
        ("SendPipelineExecutionStepSuccess", success, "Succeeded", "Ada"),
        ("SendPipelineExecutionStepFailure", failure, "Failed", "too few rows"),
    ] {
        let server = Server::new();
        let (arn, token) = wait(&server).await;
        body["CallbackToken"] = token;
        let answer = server.ok(operation, body.clone()).await;
        assert_eq!(answer, json!({ "PipelineExecutionArn": arn }));
        assert_eq!(server.status(&arn).await, status);
        let listed = json!({ "PipelineExecutionArn": arn });
        let steps = server.ok("ListPipelineExecutionSteps", listed).await;
        assert!(steps.to_string().contains(shown), "{steps}");
        let (code, text) = server.refused(operation, body).await;
        assert_eq!(code, "ConflictException", "a second answer: {text}");
    }
}

#[tokio::test]
async fn an_unknown_token_or_output_is_refused() {
    let server = Server::new();
    let (_, token) = wait(&server).await;
    let send = |token: &Value, output: &str| {
        json!({
            "CallbackToken": token,
            "OutputParameters": [{ "Name": output, "Value": "Ada" }],
        })
    };
    let operation = "SendPipelineExecutionStepSuccess";
    let unknown = send(&json!("abcdefghij"), "By");
    assert_eq!(server.refused(operation, unknown).await.0, "ResourceNotFound");
    let (code, text) = server.refused(operation, send(&token, "For")).await;
    assert_eq!(code, "ValidationException");
    assert!(text.contains("For"), "{text}");
    server.ok(operation, send(&token, "By")).await;
}

#[tokio::test]
async fn an_answer_needs_the_outputs_that_are_read_and_others_are_ignored() {
    let server = Server::new();
    let (arn, token) = wait(&server).await;
    let operation = "SendPipelineExecutionStepSuccess";
    let (code, text) = server.refused(operation, json!({ "CallbackToken": token })).await;
    assert_eq!(code, "ValidationException");
    assert!(text.contains("output `By` is declared and was not returned"), "{text}");
    let outputs = ["By", "Mood"].map(|name| json!({ "Name": name, "Value": "Ada" }));
    server.ok(operation, json!({ "CallbackToken": token, "OutputParameters": outputs })).await;
    assert_eq!(server.status(&arn).await, "Succeeded");
    let listed = json!({ "PipelineExecutionArn": arn });
    let steps = server.ok("ListPipelineExecutionSteps", listed).await;
    assert!(!steps.to_string().contains("Mood"), "{steps}");
}
