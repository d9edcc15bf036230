//! Attempts that fail, hang, die or come too late.

use serde_json::json;

use super::project::{Project, lambda, status, step};

fn retried(interval: u32, types: &str) -> serde_json::Value {
    json!({"RetryPolicies": [{"ExceptionType": [types], "IntervalSeconds": interval,
        "BackoffRate": 1.0, "MaxAttempts": 3}]})
}

#[test]
fn a_step_that_fails_twice_is_tried_again_and_show_says_why() {
    let project = Project::new(&json!([]));
    let arguments = json!({"Fail": "2", "Count": project.path("count")});
    let steps = json!([lambda("A", &arguments, &retried(1, "Sidestep.FunctionError"))]);
    project.define(&json!({"Version": "2020-12-01", "Steps": steps}));
    let said = project.expect(0, &["run", "test"]);
    assert!(said.contains("Flaky: failure 1; next attempt in 1."), "{said}");
    let execution = project.show();
    let a = step(&execution, "A");
    assert_eq!((&a["AttemptCount"], &a["StepStatus"]), (&json!(3), &json!("Succeeded")), "{a:#}");
    let failed = a["FailedAttempts"].as_array().unwrap();
    let reasons: Vec<_> = failed.iter().map(|failed| &failed["FailureReason"]).collect();
    assert_eq!(reasons, ["failure 1", "failure 2"]);
    assert_eq!(failed[0]["FailureType"], "Flaky");
    let shown = project.expect(0, &["show", "latest"]);
    assert!(shown.contains("note: `A`: attempt 2 failed: Flaky: failure 2"), "{shown}");
}

#[test]
fn a_run_that_is_killed_between_two_attempts_goes_on_with_the_next() {
    let project = Project::new(&json!([]));
    let arguments = json!({"Fail": "1", "Count": project.path("count")});
    let steps = json!([lambda("A", &arguments, &retried(3, "Sidestep.FunctionError"))]);
    project.define(&json!({"Version": "2020-12-01", "Steps": steps}));
    let mut running = project.run();
    running.wait_for("failure 1; next attempt in");
    running.signal("KILL");
    assert_eq!(running.end(), None);
    let between = project.show();
    assert_eq!(status(&between), "Executing");
    assert_eq!(step(&between, "A")["StepStatus"], "Starting", "looking on begins nothing");
    let said = project.expect(0, &["run", "test"]);
    assert!(said.contains("was interrupted: continuing it"), "{said}");
    assert_eq!(step(&project.show(), "A")["AttemptCount"], 2);
}

#[test]
fn what_ends_after_its_timeout_seconds_is_discarded_and_shown() {
    let project = Project::new(&json!([]));
    let slow = json!({"Until": project.path("a")});
    let other = json!({"Until": project.path("b")});
    let steps =
        json!([lambda("A", &slow, &json!({"TimeoutSeconds": 1})), lambda("B", &other, &json!({}))]);
    project.define(&json!({"Version": "2020-12-01", "Steps": steps}));
    let running = project.run();
    let execution =
        project.until("A is given up", |execution| execution["Steps"][0]["StepStatus"] == "Failed");
    assert_eq!(step(&execution, "A")["FailureType"], "Sidestep.Timeout", "{execution:#}");
    project.write("a", "");
    let execution = project.until("A's result is seen", |execution| {
        execution["Steps"][0]["DiscardedResults"].is_array()
    });
    let late = &step(&execution, "A")["DiscardedResults"];
    assert_eq!(late[0]["StepStatus"], "Succeeded");
    assert_eq!((&late[0]["AttemptCount"], late.as_array().unwrap().len()), (&json!(1), 1));
    project.write("b", "");
    assert_eq!(running.end(), Some(1));
    let shown = project.expect(0, &["show", "latest"]);
    assert!(shown.contains("attempt 1 succeeded after it was given up"), "{shown}");
    assert!(step(&project.show(), "B").get("DiscardedResults").is_none());
}

#[test]
fn an_exit_a_kill_a_time_out_and_an_error_are_told_apart() {
    let project = Project::new(&json!([]));
    let never = project.path("never");
    let short = json!({"FunctionArn": "short"});
    let steps = json!([
        lambda("Exit", &json!({"Exit": "3"}), &json!({})),
        lambda("Kill", &json!({"Kill": "9"}), &json!({})),
        lambda("Hang", &json!({"Until": never}), &short),
        lambda("Error", &json!({"Fail": "1", "Count": project.path("n")}), &json!({})),
    ]);
    project.define(&json!({"Version": "2020-12-01", "Steps": steps}));
    project.expect(1, &["run", "test"]);
    let execution = project.show();
    let failure = |name: &str| {
        let step = step(&execution, name);
        let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        (text("FailureType"), text("FailureReason"))
    };
    let (kind, reason) = failure("Exit");
    assert!(kind == "Runtime.ExitError" && reason.contains("exit status 3"), "{kind}: {reason}");
    let (kind, reason) = failure("Kill");
    assert!(kind == "Runtime.ExitError" && reason.contains("signal"), "{kind}: {reason}");
    let (kind, reason) = failure("Hang");
    assert!(kind == "Sandbox.Timedout" && reason.contains("timed out"), "{kind}: {reason}");
    assert_eq!(failure("Error"), ("Flaky".to_owned(), "failure 1".to_owned()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_function_that_runs_out_of_memory_is_told_apart_and_retried() {
    let project = Project::new(&json!([]));
    let policy = retried(1, "Sidestep.FunctionError");
    let steps = json!([
        lambda("Grow", &json!({"Grow": project.path("grown")}), &policy),
        lambda("Huge", &json!({"Huge": project.path("huge")}), &policy),
        lambda("Kill", &json!({"Kill": "9"}), &json!({"OnFailure": "Continue"})),
    ]);
    project.define(&json!({"Version": "2020-12-01", "Steps": steps}));
    project.expect(0, &["run", "test"]);
    let execution = project.show();
    for name in ["Grow", "Huge"] {
        let step = step(&execution, name);
        let failed = &step["FailedAttempts"][0];
        assert_eq!((&step["AttemptCount"], &step["StepStatus"]), (&json!(2), &json!("Succeeded")));
        assert_eq!(failed["FailureType"], "Runtime.OutOfMemory", "{step:#}");
    }
    assert_eq!(
        step(&execution, "Kill")["FailureType"],
        "Runtime.ExitError",
        "the host did not kill it"
    );
}
