//! Handlers hosted in the host's own process.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sidestep_core::name::FunctionName;
use sidestep_local::lambda::{
    Code, FunctionConfig, FunctionError, Handler, InvocationMeta, InvocationType, Load,
};

use crate::fixture::TestHost;

fn register(test: &TestHost, timeout: Duration, handler: impl Handler + 'static) {
    let name = FunctionName::parse("planner").unwrap();
    let config = FunctionConfig::new(name, Code::InProcess(Arc::new(handler)));
    test.host.register(FunctionConfig { timeout, ..config }).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_in_process_answers_like_any_function() {
    let test = TestHost::new();
    register(&test, Duration::from_mins(1), |event: Value, meta: InvocationMeta| async move {
        Ok(json!({ "event": event, "id": meta.request_id, "arn": meta.invoked_function_arn }))
    });

    let output = test.call("planner", &json!({ "a": 1 })).await;

    let answer: Value = serde_json::from_slice(&output.payload).unwrap();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:planner";
    assert_eq!(answer, json!({ "event": { "a": 1 }, "id": output.request_id, "arn": arn }));
    assert_eq!(test.host.counts().environments_started, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_panics_and_timeouts_of_a_handler_are_told_apart() {
    let test = TestHost::new();
    register(&test, Duration::from_secs(1), |event: Value, _: InvocationMeta| async move {
        match event.as_str() {
            Some("panic") => panic!("lost my mind"),
            Some("hang") => std::future::pending().await,
            _ => Err(FunctionError::new("Planner.Bad", "not a plan")),
        }
    });

    let error = test.error("planner", &json!("fail")).await;
    insta::assert_snapshot!(error, @r#"{"errorMessage":"not a plan","errorType":"Planner.Bad"}"#);
    let panic = test.error("planner", &json!("panic")).await;
    assert!(panic.contains("Runtime.ExitError") && panic.contains("lost my mind"), "{panic}");
    let hang = test.error("planner", &json!("hang")).await;
    insta::assert_snapshot!(hang, @r#"{"errorMessage":"RequestId: REQUEST_ID Error: Task timed out after 1.00 seconds","errorType":"Sandbox.Timedout"}"#);
    assert_eq!(test.host.load(), Load::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_nested_too_deeply_for_the_handler_is_its_error() {
    let test = TestHost::new();
    register(&test, Duration::from_mins(1), |event: Value, _: InvocationMeta| async { Ok(event) });
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));

    let invocation_type = InvocationType::RequestResponse;
    let output = test.host.invoke("planner", nested, invocation_type).await.unwrap();

    let error = String::from_utf8_lossy(&output.payload);
    assert!(error.contains("Runtime.UnmarshalError") && error.contains("recursion"), "{error}");
}
