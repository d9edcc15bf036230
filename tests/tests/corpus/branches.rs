//! Conditions, the branch that is not taken, and Fail steps.

use super::{Corpus, decisions, output, reason};

#[tokio::test(flavor = "multi_thread")]
async fn all_condition_types_are_evaluated_and_each_branch_is_taken() {
    let corpus = Corpus::open("all-conditions").await;
    let first = corpus.run(&[]).await;
    assert_eq!(
        decisions(&first),
        [
            "Probe Run Succeeded",
            "CheckAll Run Succeeded",
            "AllHold Run Succeeded",
            "SomeFail Skipped -"
        ]
    );
    assert_eq!(reason(&first, "SomeFail"), "condition `CheckAll` was true");
    for (parameter, value, expected) in [
        ("Stage", "alpha", "\"alpha\" = \"beta\" is false"),
        ("Enabled", "false", "false = true is false"),
        ("N", "2", "2 >= 3 is false"),
        ("X", "0.8", "0.8 < 0.75 is false"),
    ] {
        let other = corpus.run(&[(parameter, value)]).await;
        assert_eq!(
            decisions(&other)[2..],
            ["AllHold Skipped -", "SomeFail Run Succeeded"].map(|text| {
                // The second time the branch is cached.
                if parameter == "Stage" { text.to_owned() } else { text.replace("Run", "CacheHit") }
            }),
            "{parameter}"
        );
        assert!(reason(&other, "CheckAll").contains(expected), "{}", reason(&other, "CheckAll"));
        assert_eq!(reason(&other, "AllHold"), "condition `CheckAll` was false");
    }
    corpus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_untaken_branch_is_skipped_whichever_is_taken() {
    let corpus = Corpus::open("depends-on-branch").await;
    let fast = corpus.run(&[]).await;
    assert_eq!(fast.pipeline_execution_status, "Succeeded");
    assert_eq!(reason(&fast, "SlowPath"), "condition `Choose` was true");
    assert_eq!(reason(&fast, "AfterSlow"), "`SlowPath` was skipped");
    assert_eq!(output(&fast, "FastPath", "uri"), "fast prepared");
    let slow = corpus.run(&[("Path", "slow")]).await;
    assert_eq!(
        decisions(&slow),
        [
            "Prepare CacheHit Succeeded",
            "Choose Run Succeeded",
            "FastPath Skipped -",
            "SlowPath Run Succeeded",
            "AfterFast Skipped -",
            "AfterSlow CacheHit Succeeded",
            "AfterChoice CacheHit Succeeded",
            "Unrelated CacheHit Succeeded",
        ]
    );
    assert_eq!(reason(&slow, "AfterFast"), "`FastPath` was skipped");
    corpus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fail_step_that_is_reached_fails_the_execution_with_its_message() {
    let corpus = Corpus::open("quality-gate").await;
    let rejected = corpus.run(&[("MaxError", "5")]).await;
    assert_eq!(
        decisions(&rejected),
        [
            "Evaluate Run Succeeded",
            "Gate Run Succeeded",
            "Publish Skipped -",
            "Notify Skipped -",
            "Reject Run Failed",
        ]
    );
    let message = rejected.steps[4].failure_reason.as_deref();
    assert_eq!(message, Some("mean squared error 5.5 is above 5.0"));
    assert_eq!(rejected.steps[4].failure_type.as_deref(), Some("Sidestep.FailStep"));
    assert!(rejected.failure_reason.unwrap().contains("mean squared error 5.5 is above 5.0"));

    let published = corpus.run(&[]).await;
    assert_eq!(
        (published.pipeline_execution_status, published.summary.run, published.summary.cache_hit),
        ("Succeeded", 2, 1),
        "what succeeded before the Fail step is cached: {published:#?}"
    );
    corpus.close().await;
}
