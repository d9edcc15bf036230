//! The step as Lambda sees it: the example `noop` as a process, against a small Runtime API.

use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};
use sidestep_testkit::example::example;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Ends the function's process with the test.
struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Hands `events` to the function one by one.
///
/// Returns what it posts for each: the last part of the route, and the body.
async fn invoke(events: Vec<Value>) -> Vec<(String, Value)> {
    let count = events.len();
    let events = Arc::new(Mutex::new(events.into_iter()));
    let next = move || async move {
        let event = events.lock().unwrap().next();
        // After the last event the function waits, as on Lambda.
        let Some(event) = event else { return std::future::pending().await };
        let headers = [
            ("lambda-runtime-aws-request-id", "id".to_owned()),
            ("lambda-runtime-deadline-ms", u64::MAX.to_string()),
            ("lambda-runtime-invoked-function-arn", "arn".to_owned()),
        ];
        (headers, event.to_string()).into_response()
    };
    let (sender, mut posted) = mpsc::unbounded_channel();
    let answer = move |Path(kind): Path<String>, body: String| async move {
        sender.send((kind, serde_json::from_str(&body).unwrap())).unwrap();
        axum::http::StatusCode::ACCEPTED
    };
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/id/{kind}", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });

    let function = Command::new(example("sidestep-step", "noop"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "noop")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .spawn();
    let _function = Function(function.unwrap());
    let mut answers = Vec::new();
    while answers.len() < count {
        let answer = tokio::time::timeout(Duration::from_mins(1), posted.recv()).await;
        answers.push(answer.expect("the function answers").unwrap());
    }
    answers
}

#[tokio::test]
async fn a_function_answers_and_reports_errors_by_type() {
    let events = vec![json!({"Any": 1}), json!([1]), json!({"Sidestep": {}})];
    let answers = invoke(events).await;
    let error = |index: usize| {
        let (kind, body) = &answers[index];
        (kind.as_str(), body["errorType"].as_str().unwrap(), body["errorMessage"].as_str().unwrap())
    };
    assert_eq!(answers[0], ("response".to_owned(), json!({})));
    let expected = "`Arguments`: invalid type: sequence, expected a map";
    assert_eq!(error(1), ("error", "Sidestep.Arguments", expected));
    let expected = "`Sidestep`: missing field `ExecutionId`";
    assert_eq!(error(2), ("error", "Sidestep.Invocation", expected));
}
