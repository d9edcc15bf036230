//! Every way in which a function can fail, and what its caller is told.

use std::time::Duration;

use serde_json::json;
use sidestep_local::lambda::{Command, Load};

use crate::fixture::{TestHost, config, is_alive};

#[tokio::test(flavor = "multi_thread")]
async fn a_function_over_its_timeout_is_killed_and_the_next_event_is_served() {
    let test = TestHost::new();
    test.register("warm");
    let warm = test.answer("warm", &json!({ "leave_child": true })).await;
    test.register_with("slow", |config| config.timeout = Duration::from_millis(1500));
    let before = test.answer("slow", &json!({ "leave_child": true })).await;

    let error = test.error("slow", &json!({ "sleep_ms": 3_600_000 })).await;

    insta::assert_snapshot!(error, @r#"{"errorMessage":"RequestId: REQUEST_ID Error: Task timed out after 1.50 seconds","errorType":"Sandbox.Timedout"}"#);
    assert!(!is_alive(&before["pid"]));
    assert!(!is_alive(&before["child"]), "the whole process group is killed");
    assert!(is_alive(&warm["pid"]) && is_alive(&warm["child"]), "and no other");
    let after = test.answer("slow", &json!({ "served": true })).await;
    assert_eq!(after["event"], json!({ "served": true }));
    assert_ne!(after["pid"], before["pid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_exits_at_once_fails_its_invocation() {
    let test = TestHost::new();
    test.register_behaviour("exit", "exit at once");

    let error = test.error("exit", &json!({})).await;

    insta::assert_snapshot!(error, @r#"{"errorMessage":"RequestId: REQUEST_ID Error: Runtime exited with error: exit status 7","errorType":"Runtime.ExitError"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_exits_or_aborts_in_its_handler_fails_its_invocation() {
    let test = TestHost::new();
    test.register("die");
    test.answer("die", &json!({})).await;

    let exit = test.error("die", &json!({ "exit": 0 })).await;
    insta::assert_snapshot!(exit, @r#"{"errorMessage":"RequestId: REQUEST_ID Error: Runtime exited without providing a reason","errorType":"Runtime.ExitError"}"#);
    let abort = test.error("die", &json!({ "abort": true })).await;
    insta::assert_snapshot!(abort, @r#"{"errorMessage":"RequestId: REQUEST_ID Error: Runtime exited with error: signal: aborted","errorType":"Runtime.ExitError"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_never_asks_for_an_event_initialises_twice_as_on_lambda() {
    let test = TestHost::with(|options| options.init_timeout = Duration::from_millis(500));
    test.register_behaviour_for("mute", "never ask", Duration::from_millis(700));

    let output = test.call("mute", &json!({})).await;

    let error = String::from_utf8_lossy(&output.payload).replace(&output.request_id, "REQUEST_ID");
    insta::assert_snapshot!(error, @r#"{"errorMessage":"RequestId: REQUEST_ID Error: Task timed out after 0.70 seconds: its initialisation did not end, nor within 0.50 seconds before","errorType":"Sandbox.Timedout"}"#);
    let log = test.host.logs(&output.request_id).unwrap();
    assert!(log.contains("Phase: init\tStatus: timeout"), "{log}");
    assert!(log.contains("within the function's own timeout of 0.70 seconds"), "{log}");
    assert_eq!(test.host.counts().environments_started, 2);
    assert_eq!(test.host.load(), Load::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_initialisation_succeeds_within_the_functions_own_timeout() {
    let test = TestHost::with(|options| options.init_timeout = Duration::from_millis(500));
    test.register_behaviour_for("slow", "ask late", Duration::from_mins(1));

    let answer = test.answer("slow", &json!({ "month": 1 })).await;

    assert_eq!(answer["event"], json!({ "month": 1 }));
    assert!(answer["remaining_ms"].as_u64().unwrap() < 60_000, "the second try counts");
    assert_eq!(test.host.counts().environments_started, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_processes_initialise_at_once_than_may() {
    let test = TestHost::with(|options| {
        options.max_starts = 1;
        options.max_concurrency = 8;
    });
    for name in ["a", "b", "c"] {
        test.register_behaviour_for(name, "ask alone", Duration::from_mins(1));
    }
    let event = json!({});
    let calls = ["a", "b", "c"].map(|name| test.answer(name, &event));
    futures::future::join_all(calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initialisation_that_fails_twice_is_the_invocations_error() {
    let test = TestHost::new();
    test.register_behaviour("init", "fail to initialise");

    let error = test.error("init", &json!({})).await;

    insta::assert_snapshot!(error, @r#"{"errorType":"Fixture.NoModel","errorMessage":"the model is missing"}"#);
    assert_eq!(test.host.counts().environments_started, 2, "Lambda tries once more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_exist_is_named() {
    let test = TestHost::new();
    let command = Command { program: "/nowhere/bootstrap".into(), ..Command::default() };
    test.host.register(config("missing", command)).unwrap();

    let error = test.error("missing", &json!({})).await;

    insta::assert_snapshot!(error, @r#"{"errorMessage":"RequestId: REQUEST_ID Error: could not start `/nowhere/bootstrap`: No such file or directory (os error 2)","errorType":"Runtime.InvalidEntrypoint"}"#);
    assert_eq!(test.host.load(), Load::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_or_a_panic_of_the_handler_keeps_the_environment() {
    let test = TestHost::new();
    test.register("fail");
    let before = test.answer("fail", &json!({})).await;

    let error = test.error("fail", &json!({ "fail": "no such month" })).await;
    insta::assert_snapshot!(error, @r#"{"errorType":"Fixture.Wanted","errorMessage":"no such month"}"#);
    let panic = test.error("fail", &json!({ "panic": "index out of range" })).await;
    assert!(panic.contains("index out of range"), "{panic}");

    let after = test.answer("fail", &json!({})).await;
    assert_eq!(after["pid"], before["pid"]);
    let errors = test.host.counts().errors;
    assert_eq!(errors["Fixture.Wanted"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_is_not_json_fails_the_invocation() {
    let test = TestHost::new();
    test.register_behaviour("raw", "answer raw");

    let error = test.error("raw", &json!([{ "body": "{\"month\": " }])).await;

    insta::assert_snapshot!(error, @r#"{"errorMessage":"RequestId: REQUEST_ID Error: The response is not valid JSON: EOF while parsing a value at line 1 column 10","errorType":"Runtime.InvalidResponse"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_out_of_turn_are_refused_and_change_nothing() {
    let test = TestHost::new();
    test.register_behaviour("raw", "answer raw");
    let out_of_turn = json!([
        { "method": "GET", "path": "invocation/next" },
        { "path": "invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response", "body": "0" },
        { "path": "init/error", "body": "{}" },
        { "path": "invocation/ID/response", "body": "\"the answer\"" },
        { "path": "invocation/ID/response", "body": "2" },
        { "path": "invocation/ID/error", "body": "{}" },
        { "path": "invocation/ID/nonsense", "body": "{}" },
    ]);

    let first = test.answer("raw", &out_of_turn).await;
    let late = json!([{ "path": "invocation/PREVIOUS/response", "body": "\"too late\"" }]);
    let second = test.answer("raw", &late).await;

    assert_eq!(first, json!("the answer"));
    assert_eq!(second, json!({ "statuses": [403, 400, 403, 202, 403, 403, 404, 400] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_stands_even_if_the_process_dies_after_it() {
    let test = TestHost::new();
    test.register_behaviour("raw", "answer raw");

    let answer = test.answer("raw", &json!([{ "body": "\"done\"", "then": "exit" }])).await;

    assert_eq!(answer, json!("done"));
    assert_eq!(test.host.load(), Load::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_over_six_megabytes_fails_the_invocation() {
    let test = TestHost::new();
    test.register("large");

    let fits = test.answer("large", &json!({ "respond_mb": 5 })).await;
    assert_eq!(fits.as_str().unwrap().len(), 5 * 1024 * 1024);
    let error = test.error("large", &json!({ "respond_mb": 7 })).await;

    insta::assert_snapshot!(error, @r#"{"errorMessage":"Response payload size (7340034 bytes) exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_function_far_over_its_memory_dies_and_an_ordinary_one_does_not() {
    let test = TestHost::new();
    test.register("hungry");

    test.answer("hungry", &json!({ "allocate_mb": 100 })).await;
    let error = test.error("hungry", &json!({ "allocate_mb": 1500 })).await;

    insta::assert_snapshot!(error, @r#"{"errorMessage":"RequestId: REQUEST_ID Error: Runtime exited with error: signal: aborted","errorType":"Runtime.OutOfMemory"}"#);
}
