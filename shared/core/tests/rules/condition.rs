//! Branches, trigger rules, `When`, and conditions that look back.

use serde_json::json;
use sidestep_core::execution::ExecutionStatus;

use super::world::World;

/// Returns a condition on a parameter, a step in each branch, and one that rejoins.
fn rejoin(rule: &str, parameter: i64) -> World {
    let text = format!(
        "
Parameters: [{{ Name: N, Type: Integer, DefaultValue: {parameter} }}]
Steps:
  - Name: G
    Type: Condition
    Arguments:
      Conditions: [{{ Type: GreaterThan, LeftValue: {{ Get: Parameters.N }}, RightValue: 5 }}]
      IfSteps: [{{ Name: Yes, Type: Lambda, FunctionArn: f, Arguments: {{ k: 1 }}, OutputParameters: [{{ OutputName: uri, OutputType: String }}] }}]
      ElseSteps: [{{ Name: No, Type: Lambda, FunctionArn: f, Arguments: {{ k: 2 }}, OutputParameters: [{{ OutputName: uri, OutputType: String }}] }}]
  - Name: Join
    Type: Lambda
    FunctionArn: f
    TriggerRule: {rule}
    Arguments:
      yes: {{ Get: \"Steps.Yes.OutputParameters['uri']\" }}
      no: {{ Get: \"Steps.No.OutputParameters['uri']\" }}
"
    );
    World::new(&text)
}

#[test]
fn a_step_that_waits_for_an_untaken_branch_is_skipped_and_the_execution_succeeds() {
    let mut world = rejoin("AllSucceeded", 9);
    world.finish(&str::to_owned);
    assert_eq!(world.decided("No"), ("skipped", "condition `G` was true".to_owned()));
    assert_eq!(world.decided("Join"), ("skipped", "`No` was skipped".to_owned()));
}

#[test]
fn any_succeeded_and_none_failed_rejoin_after_a_branch_and_read_null_from_the_other() {
    for rule in ["AnySucceeded", "NoneFailed"] {
        for (n, taken) in [(9, "yes"), (1, "no")] {
            let mut world = rejoin(rule, n);
            world.finish(&str::to_owned);
            let (_, _, payload) = world.invoked.last().expect("Join ran");
            let other = if taken == "yes" { "no" } else { "yes" };
            assert!(payload[taken].is_string() && payload[other].is_null(), "{rule} {payload}");
        }
    }
}

const AFTER: &str = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 } }
  - { Name: B, Type: Lambda, FunctionArn: f, Arguments: { k: 2 }, DependsOn: [A] }
  - { Name: C, Type: Lambda, FunctionArn: f, Arguments: { k: 3 }, DependsOn: [B] }
  - { Name: Free, Type: Lambda, FunctionArn: f, Arguments: { k: 4 } }
  - { Name: Free2, Type: Lambda, FunctionArn: f, Arguments: { k: 5 }, DependsOn: [Free] }
  - { Name: Any, Type: Lambda, FunctionArn: f, Arguments: { k: 6 }, DependsOn: [A, Free], TriggerRule: AnySucceeded }
  - { Name: None, Type: Lambda, FunctionArn: f, Arguments: { k: 7 }, DependsOn: [A, Free], TriggerRule: NoneFailed }
  - { Name: Done, Type: Lambda, FunctionArn: f, Arguments: { k: 8 }, DependsOn: [C], TriggerRule: AllDone }
";

#[test]
fn after_a_failure_independent_branches_go_on_and_the_reason_names_the_first_failed_step() {
    let mut world = World::new(AFTER);
    world.advance(&[]);
    world.fail("A");
    assert_eq!(world.decided("B"), ("not started", "`A` failed".to_owned()));
    let reason = "`A` failed, so `B` did not start".to_owned();
    assert_eq!(world.decided("C"), ("not started", reason));
    assert_eq!(world.decided("Done").0, "run", "AllDone cleans up after a failure");
    world.succeed("Free", json!({}));
    assert_eq!(world.decided("Free2").0, "run");
    assert_eq!(world.decided("Any").0, "run");
    assert_eq!(world.decided("None"), ("not started", "`A` failed".to_owned()));
    for step in ["Free2", "Any", "Done"] {
        world.succeed(step, json!({}));
    }
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
}

#[test]
fn a_step_that_may_fail_does_not_fail_the_execution_and_counts_as_skipped() {
    let text = AFTER.replace("Arguments: { k: 1 } }", "Arguments: { k: 1 }, OnFailure: Continue }");
    let mut world = World::new(&text);
    world.advance(&[]);
    world.fail("A");
    assert_eq!(world.decided("B"), ("skipped", "`A` failed, as it may".to_owned()));
    assert_eq!(world.decided("C"), ("skipped", "`B` was skipped".to_owned()));
    world.succeed("Free", json!({}));
    assert_eq!(world.decided("None").0, "run", "a failure that is allowed is none");
    for step in ["Free2", "Any", "None", "Done"] {
        world.succeed(step, json!({}));
    }
    assert_eq!(world.execution.status, ExecutionStatus::Succeeded);
}

#[test]
fn once_a_fail_step_has_fired_nothing_new_starts_and_running_steps_finish() {
    let mut world = World::new(
        "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 } }
  - { Name: Long, Type: Lambda, FunctionArn: f, Arguments: { k: 2 } }
  - { Name: Stop, Type: Fail, DependsOn: [A], Arguments: { ErrorMessage: enough } }
  - { Name: B, Type: Lambda, FunctionArn: f, Arguments: { k: 3 }, DependsOn: [Long] }
  - { Name: Done, Type: Lambda, FunctionArn: f, Arguments: { k: 4 }, DependsOn: [Long], TriggerRule: AllDone }
",
    );
    world.advance(&[]);
    world.succeed("A", json!({}));
    assert_eq!(world.execution.status, ExecutionStatus::Executing, "Long is still running");
    world.succeed("Long", json!({}));
    assert_eq!(world.invoked(), ["A", "Long"]);
    let reason = "Fail step `Stop` ended the execution".to_owned();
    assert_eq!(world.decided("B"), ("not started", reason.clone()));
    assert_eq!(world.decided("Done"), ("not started", reason));
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
}

#[test]
fn no_more_steps_run_at_a_time_than_max_parallel_execution_steps() {
    let mut world = World::new(AFTER);
    world.start.max_parallel_execution_steps = Some(1);
    world.advance(&[]);
    assert_eq!(world.invoked(), ["A"]);
    world.succeed("A", json!({}));
    assert_eq!(world.invoked(), ["A", "B"]);
    let mut second = world.again(AFTER, "sha256:code");
    second.start.max_parallel_execution_steps = Some(1);
    second.advance(&[]);
    assert_eq!(second.decided("A").0, "hit", "a hit takes no slot");
    assert_eq!(second.invoked(), ["B"]);
}

/// Returns one step with a `When`.
fn when(conditions: &str, otherwise: &str) -> String {
    format!(
        "
Parameters: [{{ Name: Go, Type: Boolean, DefaultValue: true }}, {{ Name: Data, Type: String, DefaultValue: 's3://bucket/data' }}]
Steps:
  - Name: A
    Type: Lambda
    FunctionArn: f
    Arguments: {{ k: 1 }}
    CacheConfig: {{ Enabled: false }}
    OutputParameters: [{{ OutputName: uri, OutputType: String }}]
    When: {{ Conditions: [{conditions}], Else: {otherwise} }}
  - {{ Name: B, Type: Lambda, FunctionArn: f, Arguments: {{ in: {{ Get: \"Steps.A.OutputParameters['uri']\" }} }} }}
"
    )
}

#[test]
fn a_step_whose_when_does_not_hold_is_skipped_with_what_depends_on_it() {
    let go = "{ Type: Equals, LeftValue: { Get: Parameters.Go }, RightValue: false }";
    let mut world = World::new(&when(go, "Skip"));
    world.finish(&str::to_owned);
    let reason = "`When` does not hold: true = false is false".to_owned();
    assert_eq!(world.decided("A"), ("skipped", reason));
    assert_eq!(world.decided("B").0, "skipped");
}

#[test]
fn changed_compares_content_with_the_last_succeeded_execution_and_else_reuse_takes_its_outputs() {
    let changed = "{ Type: Changed, Value: { Get: Parameters.Data } }";
    let text = when(changed, "Reuse");
    let mut first = World::new(&text);
    first.contents.insert("s3://bucket/data".to_owned(), "sha256:1".to_owned());
    first.finish(&str::to_owned);
    assert_eq!(first.invoked(), ["A", "B"], "the first time everything is new");

    let mut second = first.again(&text, "sha256:code");
    second.start.baseline = Some(first.start.execution_id.clone());
    second.finish(&str::to_owned);
    let (decided, reason) = second.decided("A");
    assert!(decided == "reused" && reason.contains("is as it was in execution"), "{reason}");
    assert_eq!(second.decided("B").0, "hit", "with the same outputs");

    let mut third = second.again(&text, "sha256:code");
    third.start.baseline = Some(second.start.execution_id.clone());
    third.contents.insert("s3://bucket/data".to_owned(), "sha256:2".to_owned());
    third.finish(&str::to_owned);
    assert_eq!(third.invoked(), ["A"], "other content runs it, to the same result");
}

#[test]
fn code_changed_compares_the_code_digest_of_a_step() {
    let text = when("{ Type: CodeChanged, StepName: B }", "Skip");
    let mut first = World::new(&text);
    first.finish(&str::to_owned);
    let with = |code: &str| {
        let mut next = first.again(&text, code);
        next.start.baseline = Some(first.start.execution_id.clone());
        next.finish(&str::to_owned);
        next.decided("A").0
    };
    assert_eq!(with("sha256:code"), "skipped");
    assert_eq!(with("sha256:other"), "run");
}

#[test]
fn else_reuse_without_an_earlier_result_skips_the_step() {
    let go = "{ Type: Equals, LeftValue: { Get: Parameters.Go }, RightValue: false }";
    let mut world = World::new(&when(go, "Reuse"));
    world.finish(&str::to_owned);
    let (decided, reason) = world.decided("A");
    assert_eq!(decided, "skipped");
    assert!(
        reason.ends_with("no execution has succeeded whose result could be reused"),
        "{reason}"
    );
}

#[test]
fn nested_conditions_follow_the_outer_branch() {
    let text = "
  - Name: Outer
    Type: Condition
    Arguments:
      Conditions: [{ Type: Equals, LeftValue: 1, RightValue: 2 }]
      IfSteps:
        - Name: Inner
          Type: Condition
          Arguments:
            Conditions: [{ Type: Equals, LeftValue: 1, RightValue: 1 }]
            IfSteps: [{ Name: Deep, Type: Lambda, FunctionArn: f, Arguments: { k: 1 } }]
      ElseSteps:
        - { Name: Other, Type: Lambda, FunctionArn: f, Arguments: { outcome: { Get: Steps.Outer.Outcome } } }
";
    let mut world = World::new(text);
    world.finish(&str::to_owned);
    assert_eq!(world.decided("Inner"), ("skipped", "condition `Outer` was false".to_owned()));
    assert_eq!(world.decided("Deep"), ("skipped", "condition `Inner` was skipped".to_owned()));
    assert_eq!(world.invoked[0].2["outcome"], "false");
}

#[test]
fn a_condition_that_did_not_start_blocks_its_branches_even_if_it_may_fail_itself() {
    let text = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 } }
  - Name: G
    Type: Condition
    DependsOn: [A]
    OnFailure: Continue
    Arguments:
      Conditions: []
      IfSteps: [{ Name: Yes, Type: Lambda, FunctionArn: f, Arguments: { k: 2 } }]
      ElseSteps: []
  - { Name: After, Type: Lambda, FunctionArn: f, Arguments: { k: 3 }, DependsOn: [Yes], TriggerRule: NoneFailed }
";
    let mut world = World::new(text);
    world.advance(&[]);
    world.fail("A");
    assert_eq!(world.decided("Yes"), ("not started", "condition `G` did not start".to_owned()));
    assert_eq!(world.decided("After").0, "not started", "something failed before it");
}
