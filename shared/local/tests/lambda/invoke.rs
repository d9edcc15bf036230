//! What a healthy function sees, and which environment it runs in.

use std::time::Duration;

use serde_json::json;
use sidestep_local::lambda::{InvocationType, InvokeError, InvokeRequest, Load};

use crate::fixture::{TestHost, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_function_gets_its_event_and_what_lambda_tells_it() {
    let test = TestHost::with(|options| {
        options.environment.insert("AWS_ENDPOINT_URL".to_owned(), "http://127.0.0.1:1".to_owned());
    });
    test.register_with("echo", |config| config.timeout = Duration::from_mins(1));

    let output = test.call("echo", &json!({ "month": "2013-01" })).await;

    assert_eq!(output.status_code, 200);
    let answer: serde_json::Value = serde_json::from_slice(&output.payload).unwrap();
    assert_eq!(answer["event"], json!({ "month": "2013-01" }));
    assert_eq!(answer["request_id"], json!(output.request_id));
    assert_eq!(answer["arn"], "arn:aws:lambda:us-east-1:000000000000:function:echo");
    assert!(answer["trace_id"].as_str().unwrap().starts_with("Root=1-"));
    assert!((1..=60_000).contains(&answer["remaining_ms"].as_u64().unwrap()));
    let environment = answer["environment"].as_object().unwrap();
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "echo"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/echo"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("_HANDLER", "bootstrap"),
        ("TZ", ":UTC"),
    ] {
        assert_eq!(environment[name], value, "{name}");
    }
    assert!(environment.contains_key("LAMBDA_TASK_ROOT"));
    assert!(environment.contains_key("PATH"));
    // Lambda sets it for its own runtimes only.
    assert!(!environment.contains_key("AWS_EXECUTION_ENV"));
    // Cargo sets this for the test, so it would be there if the host's environment were inherited.
    assert!(!environment.contains_key("CARGO_MANIFEST_DIR"));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_context_and_trace_id_reach_the_function() {
    let test = TestHost::new();
    test.register("echo");

    let request = InvokeRequest {
        function: "echo".to_owned(),
        payload: "{}".into(),
        invocation_type: InvocationType::RequestResponse,
        client_context: Some(r#"{"custom":{"a":"b"}}"#.to_owned()),
        trace_id: Some("Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()),
        attempt: None,
    };
    let output = test.host.invoke_with(request).await.unwrap();

    let answer: serde_json::Value = serde_json::from_slice(&output.payload).unwrap();
    assert_eq!(answer["client_context"]["custom"], json!({ "a": "b" }));
    let trace_id = answer["trace_id"].as_str().unwrap();
    // Behind what the caller sent stands how often its chain has been here.
    assert!(
        trace_id.starts_with("Root=1-5759e988-bd862e3fe1be46a994272793;Lineage="),
        "{trace_id}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_environment_is_used_again() {
    let test = TestHost::new();
    test.register("echo");

    let first = test.answer("echo", &json!({})).await;
    for _ in 0..20 {
        let again = test.answer("echo", &json!({})).await;
        assert_eq!(again["pid"], first["pid"]);
    }

    let counts = test.host.counts();
    assert_eq!(counts.environments_started, 1);
    assert_eq!(counts.warm_starts, 20);
    assert_eq!(counts.init_durations.len(), 1);
    assert_eq!(counts.operations["Invoke"], 21);
    assert_eq!(counts.invocations.values().sum::<u64>(), 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_invocations_get_environments_of_their_own() {
    let test = TestHost::new();
    test.register("echo");

    let event = json!({ "sleep_ms": 300 });
    let (a, b, c) = tokio::join!(
        test.answer("echo", &event),
        test.answer("echo", &event),
        test.answer("echo", &event),
    );

    assert_ne!(a["pid"], b["pid"]);
    assert_ne!(b["pid"], c["pid"]);
    assert_ne!(a["pid"], c["pid"]);
    assert_eq!(test.host.counts().environments_started, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_stays_idle_ends() {
    let test = TestHost::with(|options| options.idle_timeout = Duration::from_millis(50));
    test.register("echo");
    let first = test.answer("echo", &json!({})).await;

    eventually("no environment is left", || test.host.load() == Load::default()).await;
    let second = test.answer("echo", &json!({})).await;

    assert_ne!(second["pid"], first["pid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_idle_environment_makes_room_for_another_function() {
    let test = TestHost::with(|options| options.max_environments = 2);
    for name in ["a", "b", "c"] {
        test.register(name);
    }

    let a = test.answer("a", &json!({})).await;
    let b = test.answer("b", &json!({})).await;
    test.answer("c", &json!({})).await;

    eventually("one environment ended", || test.host.load().environments == 2).await;
    assert_eq!(test.answer("b", &json!({})).await["pid"], b["pid"]);
    assert_ne!(test.answer("a", &json!({})).await["pid"], a["pid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_registered_again_runs_its_new_code() {
    let test = TestHost::new();
    test.register("echo");
    let old = test.answer("echo", &json!({})).await;

    test.register_with("echo", |config| config.memory_mb = 256);
    let new = test.answer("echo", &json!({})).await;

    assert_ne!(new["pid"], old["pid"]);
    assert_eq!(new["environment"]["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "256");
    eventually("the old environment ended", || test.host.load().environments == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_starts_nothing() {
    let test = TestHost::new();
    test.register("echo");

    let output = test.host.invoke("echo", "{}", InvocationType::DryRun).await.unwrap();
    let unknown = test.host.invoke("other", "{}", InvocationType::DryRun).await;

    assert_eq!(output.status_code, 204);
    assert!(matches!(unknown, Err(InvokeError::FunctionNotFound { .. })));
    assert_eq!(test.host.counts().environments_started, 0);
}
