//! Records of asynchronous invocations: their JSON, retries, delivery.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use sidestep_core::name::FunctionName;
use sidestep_local::lambda::{
    Code, Destination, FunctionConfig, FunctionError, InvocationMeta, InvocationType,
};

use crate::fixture::{TestHost, eventually};

/// Registers a function in this process that keeps every event it gets.
fn register_collector(test: &TestHost, name: &str) -> Arc<Mutex<Vec<Value>>> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let kept = events.clone();
    let handler = move |event: Value, _: InvocationMeta| {
        kept.lock().unwrap().push(event);
        async { Ok::<_, FunctionError>(Value::Null) }
    };
    let name = FunctionName::parse(name).unwrap();
    test.host.register(FunctionConfig::new(name, Code::InProcess(Arc::new(handler)))).unwrap();
    events
}

fn destination(name: &str) -> Destination {
    Destination::Function(FunctionName::parse(name).unwrap())
}

/// Invokes and waits for the record; replaces in it what differs from run to run.
async fn record(test: &TestHost, events: &Mutex<Vec<Value>>, event: &Value) -> String {
    let output = test.host.invoke("step", event.to_string(), InvocationType::Event).await.unwrap();
    eventually("the record came", || !events.lock().unwrap().is_empty()).await;
    let mut record = events.lock().unwrap().remove(0);
    let timestamp = record["timestamp"].as_str().unwrap();
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z'), "{timestamp}");
    record["timestamp"] = json!("TIMESTAMP");
    if record["responsePayload"]["pid"].is_number() {
        record["responsePayload"] = json!("RESPONSE");
    }
    serde_json::to_string_pretty(&record).unwrap().replace(&output.request_id, "REQUEST_ID")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_is_recorded_at_its_destination() {
    let test = TestHost::new();
    let events = register_collector(&test, "planner");
    test.register_with("step", |config| config.on_success = Some(destination("planner")));

    let record = record(&test, &events, &json!({ "month": "2013-01" })).await;

    insta::assert_snapshot!(record, @r#"
    {
      "requestContext": {
        "approximateInvokeCount": 1,
        "condition": "Success",
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:step:$LATEST",
        "requestId": "REQUEST_ID"
      },
      "requestPayload": {
        "month": "2013-01"
      },
      "responseContext": {
        "executedVersion": "$LATEST",
        "statusCode": 200
      },
      "responsePayload": "RESPONSE",
      "timestamp": "TIMESTAMP",
      "version": "1.0"
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_recorded_at_its_destination_without_retries_by_default() {
    let test = TestHost::new();
    let events = register_collector(&test, "planner");
    test.register_with("step", |config| config.on_failure = Some(destination("planner")));

    let record = record(&test, &events, &json!({ "fail": "no such month" })).await;

    insta::assert_snapshot!(record, @r#"
    {
      "requestContext": {
        "approximateInvokeCount": 1,
        "condition": "RetriesExhausted",
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:step:$LATEST",
        "requestId": "REQUEST_ID"
      },
      "requestPayload": {
        "fail": "no such month"
      },
      "responseContext": {
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
        "statusCode": 200
      },
      "responsePayload": {
        "errorMessage": "no such month",
        "errorType": "Fixture.Wanted"
      },
      "timestamp": "TIMESTAMP",
      "version": "1.0"
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_recorded_after_the_retries() {
    let test = TestHost::with(|options| options.retry_delays = [Duration::from_millis(1); 2]);
    let events = register_collector(&test, "planner");
    test.register_with("step", |config| {
        config.on_failure = Some(destination("planner"));
        config.max_retry_attempts = 2;
    });

    let record = record(&test, &events, &json!({ "exit": 3 })).await;

    insta::assert_snapshot!(record, @r#"
    {
      "requestContext": {
        "approximateInvokeCount": 3,
        "condition": "RetriesExhausted",
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:step:$LATEST",
        "requestId": "REQUEST_ID"
      },
      "requestPayload": {
        "exit": 3
      },
      "responseContext": {
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
        "statusCode": 200
      },
      "responsePayload": {
        "errorMessage": "RequestId: REQUEST_ID Error: Runtime exited with error: exit status 3",
        "errorType": "Runtime.ExitError"
      },
      "timestamp": "TIMESTAMP",
      "version": "1.0"
    }
    "#);
    assert_eq!(test.host.counts().invocations.values().sum::<u64>(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_waited_too_long_is_recorded_without_running() {
    let test = TestHost::with(|options| options.max_event_age = Duration::ZERO);
    let events = register_collector(&test, "planner");
    let recorded = events.clone();
    let sink = move |record| recorded.lock().unwrap().push(record);
    test.register_with("step", |config| {
        config.on_failure = Some(Destination::Sink(Arc::new(sink)));
    });

    let record = record(&test, &events, &json!({})).await;

    insta::assert_snapshot!(record, @r#"
    {
      "requestContext": {
        "approximateInvokeCount": 0,
        "condition": "EventAgeExceeded",
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:step:$LATEST",
        "requestId": "REQUEST_ID"
      },
      "requestPayload": {},
      "timestamp": "TIMESTAMP",
      "version": "1.0"
    }
    "#);
    assert_eq!(test.host.counts().environments_started, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_delivered_is_counted() {
    let test = TestHost::new();
    test.register_with("step", |config| config.on_success = Some(destination("unknown")));

    test.host.invoke("step", "{}", InvocationType::Event).await.unwrap();

    eventually("it is counted", || test.host.counts().destination_delivery_failures == 1).await;
}

/// Differs from Lambda, where such a record is lost without a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_too_large_for_its_record_is_recorded_as_a_failure() {
    let test = TestHost::new();
    let events = register_collector(&test, "planner");
    test.register_with("step", |config| {
        config.on_success = Some(destination("planner"));
        config.on_failure = Some(destination("planner"));
    });
    let limit = sidestep_local::lambda::EVENT_PAYLOAD_BYTES;
    let large = json!({ "filler": "x".repeat(limit - 100) }).to_string();

    test.host.invoke("step", large.clone(), InvocationType::Event).await.unwrap();

    eventually("it is recorded", || !events.lock().unwrap().is_empty()).await;
    let record = events.lock().unwrap()[0].clone();
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["responsePayload"]["errorType"], "Sidestep.OutputTooLarge");
    assert_eq!(record["requestPayload"].to_string(), large);
    assert_eq!(test.host.counts().destination_delivery_failures, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_synchronous_invocation_makes_no_record() {
    let test = TestHost::new();
    let events = register_collector(&test, "planner");
    test.register_with("step", |config| {
        config.on_success = Some(destination("planner"));
        config.on_failure = Some(destination("planner"));
    });

    test.answer("step", &json!({})).await;
    test.error("step", &json!({ "fail": "no" })).await;
    // Records go out in order, so after one of an event none can be on its way.
    test.host.invoke("step", "{\"last\":1}", InvocationType::Event).await.unwrap();

    eventually("the last came", || !events.lock().unwrap().is_empty()).await;
    assert_eq!(events.lock().unwrap()[0]["requestPayload"], json!({ "last": 1 }));
}
