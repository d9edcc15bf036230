//! Run conditions: `Trigger` in `DependsOn`, and executions that complete with failures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::execution::phase::Phase;
use sidestep_core::plan::Event;
use sidestep_core::selection::{check_source, check_without_source, requirements};

use super::world::World;

/// Returns the definition of steps, each as `NAME` or `NAME: ENTRY, ..`. An entry is a name or
/// `NAME TRIGGER`, and `key=value` adds a key to the step.
fn definition(steps: &[&str]) -> String {
    let lines = steps.iter().enumerate().map(|(number, step)| {
        let (name, rest) = step.split_once(':').unwrap_or((step, ""));
        let (mut entries, mut keys) = (Vec::new(), String::new());
        for part in rest.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            if let Some((key, value)) = part.split_once('=') {
                let _ = write!(keys, ", {key}: {value}");
            } else if let Some((step, trigger)) = part.split_once(' ') {
                entries.push(format!("{{ Step: {step}, Trigger: {trigger} }}"));
            } else {
                entries.push(part.to_owned());
            }
        }
        let entries = entries.join(", ");
        format!(
            "  - {{ Name: {name}, Type: Lambda, FunctionArn: f, Arguments: {{ k: {number} }}, DependsOn: [{entries}]{keys} }}"
        )
    });
    format!("\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}

/// Ends every step that runs, until the execution is over. Those of `failing` fail.
fn finish(world: &mut World, failing: &[&str]) {
    world.advance(&[]);
    while !world.execution.status.is_over() {
        let mut steps = world.pipeline.indexes();
        let next = steps.find(|i| world.execution.step(*i).phase == Phase::Executing);
        let name = world.pipeline.step(next.expect("something runs")).name.to_string();
        if failing.contains(&name.as_str()) {
            world.fail(&name);
        } else {
            world.succeed(&name, json!({}));
        }
    }
}

/// Returns how each step came to its end.
fn ends(world: &World) -> String {
    let ends = world.pipeline.indexes().map(|index| {
        let name = &world.pipeline.step(index).name;
        match world.execution.step(index).phase {
            Phase::Succeeded => format!("{name} succeeded"),
            Phase::Failed => format!("{name} failed"),
            _ => format!("{name} {}", world.decided(name.as_str()).0),
        }
    });
    ends.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_step_starts_as_the_triggers_of_its_edges_say_and_the_status_tells_of_failures() {
    let cases: [(&[&str], &[&str], &str, &str); 19] = [
        // One edge.
        (&["A", "N: A Failed"], &["A"], "A failed, N succeeded", "CompletedWithFailures"),
        (&["A", "N: A Failed"], &[], "A succeeded, N skipped", "Succeeded"),
        (&["A", "N: A Completed"], &[], "A succeeded, N succeeded", "Succeeded"),
        (&["A", "N: A Completed"], &["A"], "A failed, N not started", "Failed"),
        (&["A", "N: A Any"], &["A"], "A failed, N succeeded", "CompletedWithFailures"),
        (&["A", "N: A Any"], &[], "A succeeded, N succeeded", "Succeeded"),
        (&["A", "N: A Stopped"], &["A"], "A failed, N skipped", "Failed"),
        (&["A", "N: A Stopped"], &[], "A succeeded, N skipped", "Succeeded"),
        // All edges have to hold.
        (
            &["A", "B", "N: A Failed, B"],
            &["A"],
            "A failed, B succeeded, N succeeded",
            "CompletedWithFailures",
        ),
        (&["A", "B", "N: A Failed, B"], &["A", "B"], "A failed, B failed, N not started", "Failed"),
        (
            &["A", "B", "N: A Failed, B Failed"],
            &["A"],
            "A failed, B succeeded, N skipped",
            "Failed",
        ),
        (
            &["A", "B", "N: A Failed, B Failed, TriggerRule=AnySucceeded"],
            &["A"],
            "A failed, B succeeded, N succeeded",
            "CompletedWithFailures",
        ),
        // A failure that no step waited for, or that of the step that did, is one.
        (&["A", "B", "N: A Failed"], &["A", "B"], "A failed, B failed, N succeeded", "Failed"),
        (&["A", "N: A Failed"], &["A", "N"], "A failed, N failed", "Failed"),
        (
            &["A", "N: A Failed", "L: N Failed"],
            &["A", "N"],
            "A failed, N failed, L succeeded",
            "CompletedWithFailures",
        ),
        // What did not start has not failed; it has ended all the same.
        (&["A", "B: A", "N: B Failed"], &["A"], "A failed, B not started, N skipped", "Failed"),
        (
            &["A", "B: A", "N: B Any"],
            &["A"],
            "A failed, B not started, N succeeded",
            "CompletedWithFailures",
        ),
        // What waits for a step that was skipped is skipped.
        (&["A", "N: A Failed", "L: N"], &[], "A succeeded, N skipped, L skipped", "Succeeded"),
        // A step that may fail can be waited for.
        (&["A: OnFailure=Continue", "N: A Failed"], &["A"], "A failed, N succeeded", "Succeeded"),
    ];
    for (steps, failing, expected, status) in cases {
        let mut world = World::new(&definition(steps));
        finish(&mut world, failing);
        let found = (ends(&world), world.execution.status.name());
        assert_eq!(found, (expected.to_owned(), status), "{steps:?}, {failing:?} fail");
        let end = world.commits.last().unwrap().end.clone().unwrap();
        let tells = world.execution.status.has_failures();
        assert_eq!(end.failure_reason.is_some(), tells, "{steps:?}: {end:?}");
    }
}

#[test]
fn a_trigger_that_does_not_hold_is_told_in_the_reason() {
    let mut world = World::new(&definition(&["A", "N: A Failed"]));
    finish(&mut world, &[]);
    let reason = "`A` succeeded, and its trigger is `Failed`".to_owned();
    assert_eq!(world.decided("N"), ("skipped", reason));
}

#[test]
fn a_condition_that_fails_and_a_branch_that_is_not_taken_have_triggers_too() {
    let text = "
Parameters: [{ Name: P, Type: String, DefaultValue: x }]
Steps:
  - Name: G
    Type: Condition
    Arguments:
      Conditions: [{ Type: Equals, LeftValue: { Get: Parameters.P }, RightValue: { \"Std:JsonGet\": { S3Uri: s3://bucket/key, Path: n } } }]
      IfSteps: [{ Name: Yes, Type: Lambda, FunctionArn: f, Arguments: {} }]
      ElseSteps: []
  - { Name: OnFailed, Type: Lambda, FunctionArn: f, Arguments: { k: 1 }, DependsOn: [{ Step: G, Trigger: Failed }] }
  - { Name: Last, Type: Lambda, FunctionArn: f, Arguments: { k: 2 }, DependsOn: [{ Step: Yes, Trigger: Any }] }
";
    let mut world = World::new(text);
    finish(&mut world, &[]);
    assert_eq!(ends(&world), "G failed, Yes not started, OnFailed succeeded, Last succeeded");
    assert_eq!(world.execution.status, ExecutionStatus::CompletedWithFailures);
}

#[test]
fn a_step_that_runs_after_a_failure_reads_null_and_the_reason() {
    let text = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: {}, OutputParameters: [{ OutputName: n, OutputType: Integer }] }
  - Name: N
    Type: Lambda
    FunctionArn: f
    DependsOn: [{ Step: A, Trigger: Any }]
    Arguments: { n: { Get: \"Steps.A.OutputParameters['n']\" }, why: { Get: Steps.A.FailureReason } }
";
    let mut world = World::new(text);
    world.advance(&[]);
    world.fail("A");
    let payload = world.payload("N");
    assert_eq!((&payload["n"], &payload["why"]), (&Value::Null, &json!("broke")));
    let mut world = World::new(text);
    world.advance(&[]);
    world.succeed("A", json!({"n": 3}));
    let payload = world.payload("N");
    assert_eq!((&payload["n"], &payload["why"]), (&json!(3), &Value::Null));
}

#[test]
fn after_a_stop_no_step_starts_because_of_a_failure() {
    let mut world = World::new(&definition(&["A", "N: A Any"]));
    world.advance(&[]);
    world.advance(&[Event::StopRequested]);
    world.fail("A");
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
    assert_eq!(world.invoked(), ["A"]);
}

#[test]
fn a_retry_takes_back_what_ran_because_of_a_failure_and_what_follows_from_it() {
    let off = "CacheConfig={ Enabled: false }";
    let after = format!("C: A Any, B, {off}");
    let steps = definition(&["A", "B", "N: A Failed", "L: N", &after]);
    let mut world = World::new(&steps);
    finish(&mut world, &["A"]);
    assert_eq!(world.execution.status, ExecutionStatus::CompletedWithFailures);
    world.advance(&[Event::RetryRequested]);
    finish(&mut world, &[]);
    assert_eq!(ends(&world), "A succeeded, B succeeded, N skipped, L skipped, C succeeded");
    assert_eq!(world.execution.status, ExecutionStatus::Succeeded);
    let attempts = |name: &str| -> Vec<u32> {
        let step = world.index(name);
        let invoked = world.invoked.iter().filter(|(index, ..)| *index == step);
        invoked.map(|(_, attempt, _)| *attempt).collect()
    };
    assert_eq!(attempts("A"), [1, 2]);
    assert_eq!(attempts("B"), [1], "it had nothing to do with the failure");
    assert_eq!(attempts("C"), [1, 2], "a number of its own for each attempt");
}

#[test]
fn of_a_step_that_is_not_selected_the_trigger_asks_the_source_execution() {
    let off = "CacheConfig={ Enabled: false }";
    let (on_failure, at_any_end) = (format!("N: A Failed, {off}"), format!("M: B Any, {off}"));
    let steps = definition(&["A", "B: A", &on_failure, &at_any_end]);
    let run = |failing: &[&str]| {
        let mut source = World::new(&steps);
        finish(&mut source, failing);
        source
    };
    let (failed, succeeded) = (run(&["A"]), run(&[]));
    for (source, step, expected) in [
        (&failed, "N", "run"),
        (&failed, "M", "run"),
        (&succeeded, "N", "skipped"),
        (&succeeded, "M", "run"),
    ] {
        let mut world = source.again(&steps, "sha256:code");
        world.select(&[step], Some(source));
        let selected = world.start.selection.as_ref().unwrap().selected.clone();
        let required = requirements(&world.pipeline, &selected, &BTreeMap::default());
        check_source(&world.pipeline, &required, &source.as_earlier()).unwrap();
        let refused = check_without_source(&world.pipeline, &selected, &BTreeMap::default());
        assert!(refused.unwrap_err().to_string().contains("dependencies on"), "{step}");
        world.advance(&[]);
        assert_eq!(world.decided(step).0, expected, "{step}");
    }
    // `B` did not start there, so it did not fail either.
    let steps = definition(&["A", "B: A", "N: B Failed"]);
    let mut source = World::new(&steps);
    finish(&mut source, &["A"]);
    let selected = [source.index("N")].into();
    let required = requirements(&source.pipeline, &selected, &BTreeMap::default());
    let refused = check_source(&source.pipeline, &required, &source.as_earlier()).unwrap_err();
    assert!(refused.to_string().contains("`B` has no result there"), "{refused}");
}
