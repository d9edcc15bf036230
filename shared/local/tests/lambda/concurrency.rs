//! Limits: concurrency, the queue of events, payloads.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use sidestep_local::lambda::{Destination, InvocationType, InvokeError, Load};

use crate::fixture::{TestHost, eventually};

type Records = Arc<Mutex<Vec<Value>>>;

fn sink(records: &Records) -> Destination {
    let records = records.clone();
    Destination::Sink(Arc::new(move |record| records.lock().unwrap().push(record)))
}

#[tokio::test(flavor = "multi_thread")]
async fn events_over_a_functions_concurrency_wait_and_run_in_order() {
    let test = TestHost::new();
    let records = Records::default();
    test.register_with("one", |config| {
        config.max_concurrency = Some(1);
        config.on_success = Some(sink(&records));
    });

    for number in 0..6 {
        let event = json!({ "number": number }).to_string();
        let output = test.host.invoke("one", event, InvocationType::Event).await.unwrap();
        assert_eq!((output.status_code, output.payload.len()), (202, 0));
    }

    eventually("all have run", || records.lock().unwrap().len() == 6).await;
    let records = records.lock().unwrap();
    let numbers: Vec<_> =
        records.iter().map(|record| &record["requestPayload"]["number"]).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    let pid = &records[0]["responsePayload"]["pid"];
    assert!(records.iter().all(|record| &record["responsePayload"]["pid"] == pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_function_lets_the_events_of_others_pass() {
    let test = TestHost::with(|options| options.max_concurrency = 2);
    let records = Records::default();
    test.register_with("busy", |config| config.max_concurrency = Some(1));
    test.register_with("quick", |config| config.on_success = Some(sink(&records)));

    for _ in 0..3 {
        let event = json!({ "sleep_ms": 3_600_000 }).to_string();
        test.host.invoke("busy", event, InvocationType::Event).await.unwrap();
    }
    test.host.invoke("quick", "{}", InvocationType::Event).await.unwrap();

    eventually("the quick one has run", || records.lock().unwrap().len() == 1).await;
    assert_eq!(test.host.load().queued, 2, "events of the busy function still wait");
    test.host.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_synchronous_request_over_a_limit_is_throttled() {
    let test = TestHost::with(|options| options.max_concurrency = 2);
    test.register_with("one", |config| config.max_concurrency = Some(1));
    test.register("two");
    test.register("three");
    let sleep = json!({ "sleep_ms": 3_600_000 }).to_string();
    test.host.invoke("one", sleep.clone(), InvocationType::Event).await.unwrap();
    eventually("the first runs", || test.host.load().running == 1).await;

    let sync = InvocationType::RequestResponse;
    let by_function = test.host.invoke("one", "{}", sync).await;
    test.host.invoke("two", sleep, InvocationType::Event).await.unwrap();
    eventually("the second runs", || test.host.load().running == 2).await;
    let by_host = test.host.invoke("three", "{}", sync).await;

    let reason = |result| match result {
        Err(InvokeError::TooManyRequests { reason, .. }) => reason,
        other => panic!("not throttled: {other:?}"),
    };
    assert_eq!(reason(by_function), "ReservedFunctionConcurrentInvocationLimitExceeded");
    assert_eq!(reason(by_host), "ConcurrentInvocationLimitExceeded");
    assert_eq!(test.host.counts().throttles, 2);
    test.host.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_bounded_by_the_type_of_the_invocation() {
    let test = TestHost::new();
    test.register("echo");
    let of = |bytes: usize| format!("\"{}\"", "a".repeat(bytes - 2));
    let (mb, sync) = (1024 * 1024, InvocationType::RequestResponse);

    for (bytes, invocation_type) in [(mb + 1, InvocationType::Event), (6 * mb + 1, sync)] {
        let result = test.host.invoke("echo", of(bytes), invocation_type).await;
        assert!(
            matches!(result, Err(InvokeError::RequestTooLarge { actual, .. }) if actual == bytes),
            "{invocation_type:?}"
        );
    }
    assert!(test.host.invoke("echo", of(mb), InvocationType::Event).await.is_ok());
    let malformed = test.host.invoke("echo", "{\"a\":", sync).await;
    assert!(matches!(malformed, Err(InvokeError::InvalidRequestContent { .. })));
    let invocations = || test.host.counts().invocations.values().sum::<u64>();
    eventually("the accepted one has run", || invocations() == 1 && test.host.load().running == 0)
        .await;
    assert_eq!(invocations(), 1, "and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_shuts_down_leaves_no_process_and_takes_no_work() {
    let test = TestHost::new();
    test.register("idle");
    test.register("busy");
    test.answer("idle", &json!({})).await;
    let host = test.host.clone();
    let event = json!({ "sleep_ms": 3_600_000 }).to_string();
    let interrupted =
        tokio::spawn(
            async move { host.invoke("busy", event, InvocationType::RequestResponse).await },
        );
    eventually("it runs", || test.host.load().environments == 2).await;

    test.host.shutdown(Duration::from_millis(100)).await;

    assert_eq!(test.host.load(), Load::default());
    let output = interrupted.await.unwrap().unwrap();
    assert_eq!(output.function_error, Some("Unhandled"));
    assert!(String::from_utf8_lossy(&output.payload).contains("Sandbox.Shutdown"));
    let refused = test.host.invoke("idle", "{}", InvocationType::RequestResponse).await;
    assert!(matches!(refused, Err(InvokeError::ShuttingDown)));
    let refused = test.host.invoke("idle", "{}", InvocationType::Event).await;
    assert!(matches!(refused, Err(InvokeError::ShuttingDown)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_what_runs_finish_within_its_grace() {
    let test = TestHost::new();
    test.register("busy");
    let host = test.host.clone();
    let event = json!({ "sleep_ms": 300 }).to_string();
    let running =
        tokio::spawn(
            async move { host.invoke("busy", event, InvocationType::RequestResponse).await },
        );
    eventually("it runs", || test.host.load().running == 1).await;

    test.host.shutdown(Duration::from_mins(2)).await;

    assert_eq!(running.await.unwrap().unwrap().function_error, None);
}
