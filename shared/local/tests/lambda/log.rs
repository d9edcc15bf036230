//! Logs per invocation: their lines, names, limits and followers.

use std::{fs, sync::Arc};

use serde_json::json;
use sidestep_core::name::FunctionName;
use sidestep_local::lambda::LogKey;

use crate::fixture::{TestHost, eventually};

/// Removes from a log its times and what else differs from run to run.
fn redact(log: &str, request_id: &str) -> String {
    log.lines()
        .map(|line| line.split_once('\t').expect("a line starts with its time").1)
        .map(|line| line.replace(request_id, "REQUEST_ID"))
        .map(|line| match line.split_once("\tDuration: ") {
            Some((report, _)) => format!("{report} ..."),
            None => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_invocation_has_a_log_of_its_own() {
    let test = TestHost::new();
    test.register("talk");

    let first = test.call("talk", &json!({ "print": "one" })).await;
    let second = test.call("talk", &json!({ "print": "two" })).await;

    let log = test.host.logs(&first.request_id).unwrap();
    insta::assert_snapshot!(redact(&log, &first.request_id), @r#"
    initialised
    START RequestId: REQUEST_ID Version: $LATEST
    one
    one on stderr
    END RequestId: REQUEST_ID
    REPORT RequestId: REQUEST_ID ...
    "#);
    let report = log.lines().last().unwrap();
    for part in ["Billed Duration: ", "Memory Size: 128 MB", "Init Duration: "] {
        assert!(report.contains(part), "{report}");
    }
    let log = test.host.logs(&second.request_id).unwrap();
    insta::assert_snapshot!(redact(&log, &second.request_id), @r#"
    START RequestId: REQUEST_ID Version: $LATEST
    two
    two on stderr
    END RequestId: REQUEST_ID
    REPORT RequestId: REQUEST_ID ...
    "#);
    assert!(!log.contains("Init Duration"), "a warm start has none");
    let key = LogKey::for_request(&FunctionName::parse("talk").unwrap(), &second.request_id);
    assert_eq!(test.host.logs_by_key(&key).unwrap(), log);
    assert!(second.log_tail.contains("two on stderr"));
    assert!(!second.log_tail.contains("one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_explained_in_the_log() {
    let test = TestHost::new();
    test.register("talk");

    let output = test.call("talk", &json!({ "print": "last words", "exit": 3 })).await;

    let log = test.host.logs(&output.request_id).unwrap();
    insta::assert_snapshot!(redact(&log, &output.request_id), @r#"
    initialised
    START RequestId: REQUEST_ID Version: $LATEST
    last words
    last words on stderr
    {"errorMessage":"RequestId: REQUEST_ID Error: Runtime exited with error: exit status 3","errorType":"Runtime.ExitError"}
    END RequestId: REQUEST_ID
    REPORT RequestId: REQUEST_ID ...
    "#);
    let report = log.lines().last().unwrap();
    assert!(report.ends_with("Status: error\tError Type: Runtime.ExitError"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_cut_and_does_not_stop_the_function() {
    let test = TestHost::new();
    test.register("flood");

    let output = test.call("flood", &json!({ "print_mb": 64 })).await;

    assert_eq!(output.function_error, None);
    let log = test.host.logs(&output.request_id).unwrap();
    assert!((3 * 1024 * 1024..11 * 1024 * 1024).contains(&log.len()), "{}", log.len());
    let end: Vec<_> = log.lines().rev().take(3).collect();
    assert!(end[0].contains("REPORT RequestId"), "{end:?}");
    assert!(end[1].contains("END RequestId"), "{end:?}");
    assert!(
        end[2].ends_with("[log truncated: over 4194304 bytes, the rest is dropped]"),
        "{end:?}"
    );
    // The next invocation has its own space.
    let next = test.call("flood", &json!({ "print": "quiet" })).await;
    assert!(test.host.logs(&next.request_id).unwrap().contains("quiet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_names_logs_by_the_payload() {
    let test = TestHost::with(|options| {
        options.log_key = Some(Arc::new(|_, payload| {
            let event: serde_json::Value = serde_json::from_slice(payload).ok()?;
            LogKey::parse(event["log"].as_str()?).ok()
        }));
    });
    test.register("talk");

    test.answer("talk", &json!({ "log": "flights/01H/train/1", "print": "tagged" })).await;
    let escaping = json!({ "log": "../../escaped", "print": "kept inside" });
    let output = test.call("talk", &escaping).await;

    let key = LogKey::parse("flights/01H/train/1").unwrap();
    assert!(test.host.logs_by_key(&key).unwrap().contains("tagged"));
    assert!(test.host.logs(&output.request_id).unwrap().contains("kept inside"));
    assert!(test.folder.path().join("logs/flights.log").is_file());
    assert_eq!(fs::read_dir(test.folder.path()).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_see_lines_while_the_function_runs() {
    let test = TestHost::new();
    test.register("talk");
    let mut lines = test.host.follow_logs();

    let host = test.host.clone();
    let event = json!({ "print": "working", "sleep_ms": 3_600_000 }).to_string();
    let invocation = sidestep_local::lambda::InvocationType::Event;
    let output = host.invoke("talk", event, invocation).await.unwrap();

    loop {
        let line = lines.recv().await.unwrap();
        assert_eq!(*line.request_id, *output.request_id);
        if line.message == "working" {
            assert_eq!(line.function.as_str(), "talk");
            break;
        }
    }
    assert_eq!(test.host.load().running, 1, "it still runs");
    test.host.shutdown(std::time::Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_costs_no_invocation() {
    let test = TestHost::new();
    test.register("talk");
    // A folder stands where the function's file should be.
    fs::create_dir(test.folder.path().join("logs/talk.log")).unwrap();

    let output = test.call("talk", &json!({ "print": "lost" })).await;

    assert_eq!(output.function_error, None);
    assert!(output.log_tail.contains("lost"));
    eventually("it is idle", || test.host.load().running == 0).await;
}
