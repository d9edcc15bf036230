//! Retries, time-outs, stop, taking up again, callbacks, and parameters that must not be shown.

use serde_json::json;
use sidestep_core::execution::{ExecutionStatus, Phase};
use sidestep_core::name::ParameterName;
use sidestep_core::plan::Event;
use sidestep_core::plan::control::{ControlError, check_retry, check_stop};
use sidestep_core::plan::lease::can_be_renewed;
use sidestep_core::view::description::describe;

use super::world::{World, decisions};

const RETRIED: &str = "
  - Name: A
    Type: Lambda
    FunctionArn: f
    Arguments: { k: 1 }
    RetryPolicies: [{ ExceptionType: [Sidestep.FunctionError], IntervalSeconds: 10, BackoffRate: 2, MaxAttempts: 2 }]
  - { Name: B, Type: Lambda, FunctionArn: f, Arguments: { k: 2 }, DependsOn: [A] }
";

#[test]
fn a_failed_attempt_is_followed_by_another_after_its_delay() {
    let mut world = World::new(RETRIED);
    world.advance(&[]);
    world.fail("A");
    assert_eq!(world.execution.step(world.index("A")).phase, Phase::Retrying);
    let due = *world.wakes.last().expect("the planner is called again");
    assert!((11_000..=13_500).contains(&due), "10 s and up to a quarter after 1 s: {due}");
    world.advance(&[Event::Woken]);
    assert_eq!(world.invoked(), ["A"], "too early");
    world.wake();
    assert_eq!(world.invoked.last().map(|(_, attempt, _)| *attempt), Some(2));
    assert_eq!(world.decided("A").1, "attempt 1 failed: E: broke");
    world.succeed("A", json!({}));
    assert_eq!(world.decided("B").0, "run");
    let description = describe(
        &world.start,
        &world.pipeline,
        &world.commits,
        &std::collections::BTreeMap::new(),
        0,
    );
    let step = &description.steps[0];
    assert_eq!((step.attempt_count, step.failed_attempts.len()), (2, 1));
    assert_eq!(step.failed_attempts[0].failure_reason, "broke");
}

#[test]
fn when_the_retries_are_used_up_the_step_fails() {
    let mut world = World::new(RETRIED);
    world.advance(&[]);
    for _ in 0..2 {
        world.fail("A");
        world.wake();
    }
    world.fail("A");
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
    assert_eq!(world.invoked(), ["A", "A", "A"]);
}

#[test]
fn a_throttle_is_retried_without_a_policy_and_a_functions_own_error_is_not() {
    let lines = RETRIED.lines().filter(|line| !line.contains("RetryPolicies"));
    let mut world = World::new(&lines.collect::<Vec<_>>().join("\n"));
    world.advance(&[]);
    world.fail_with("A", "Step.THROTTLING");
    assert_eq!(world.execution.status, ExecutionStatus::Executing);
    world.wake();
    world.fail_with("A", "ValueError");
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
}

#[test]
fn an_attempt_fails_when_its_timeout_seconds_are_over_and_its_late_result_is_discarded() {
    let text = RETRIED
        .replace("    RetryPolicies", "    TimeoutSeconds: 30\n    RetryPolicies")
        .replace("Sidestep.FunctionError", "Sidestep.Timeout");
    let mut world = World::new(&text);
    world.advance(&[]);
    assert_eq!(world.wakes, [31_000]);
    let late = world.report("A", super::world::succeeded(json!({}), Vec::new()));
    world.wake();
    assert_eq!(world.execution.step(world.index("A")).phase, Phase::Retrying, "as its policy says");
    let plan = world.plan(&[late]);
    assert!(plan.commit.is_empty() && plan.discarded.len() == 1);
    world.wake();
    assert_eq!(world.invoked(), ["A", "A"]);
}

#[test]
fn a_stop_starts_nothing_new_and_lets_running_steps_finish() {
    let mut world = World::new(RETRIED);
    world.advance(&[]);
    world.advance(&[Event::StopRequested]);
    assert_eq!(world.execution.status, ExecutionStatus::Stopping);
    assert_eq!(check_stop(&world.execution), Ok(()), "twice is fine");
    assert!(world.plan(&[Event::StopRequested]).commit.is_empty());
    world.succeed("A", json!({}));
    assert_eq!(
        (world.execution.status, world.invoked()),
        (ExecutionStatus::Stopped, vec!["A".to_owned()])
    );
    assert_eq!(check_stop(&world.execution), Err(ControlError::Over(ExecutionStatus::Stopped)));
}

#[test]
fn a_step_that_fails_while_the_execution_stops_fails_it_and_is_not_retried() {
    let mut world = World::new(RETRIED);
    world.advance(&[]);
    world.advance(&[Event::StopRequested]);
    world.fail("A");
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
}

#[test]
fn a_step_between_two_attempts_is_stopped() {
    let mut world = World::new(RETRIED);
    world.advance(&[]);
    world.fail("A");
    let plan = world.advance(&[Event::StopRequested]);
    assert_eq!(decisions(&world, &plan), ["A stopped"]);
    assert_eq!(world.execution.status, ExecutionStatus::Stopped);
}

const BRANCHES: &str = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 } }
  - { Name: B, Type: Lambda, FunctionArn: f, Arguments: { k: 2 }, DependsOn: [A] }
  - { Name: C, Type: Lambda, FunctionArn: f, Arguments: { k: 3 } }
  - { Name: D, Type: Lambda, FunctionArn: f, Arguments: { k: 4 }, DependsOn: [B, C] }
";

#[test]
fn an_execution_taken_up_again_keeps_what_succeeded_and_runs_the_rest() {
    let mut world = World::new(BRANCHES);
    world.advance(&[]);
    assert_eq!(
        check_retry(&world.start, &world.pipeline, &world.execution),
        Err(ControlError::NotRetryable(ExecutionStatus::Executing))
    );
    world.succeed("C", json!({}));
    world.succeed("A", json!({}));
    world.fail("B");
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
    assert_eq!(check_retry(&world.start, &world.pipeline, &world.execution), Ok(()));
    world.advance(&[Event::RetryRequested]);
    assert_eq!(world.execution.status, ExecutionStatus::Executing);
    assert_eq!(world.invoked(), ["A", "C", "B", "B"]);
    assert_eq!(world.invoked.last().map(|(_, attempt, _)| *attempt), Some(2), "numbers go on");
    assert!(world.plan(&[Event::RetryRequested]).commit.is_empty(), "twice is once");
    world.succeed("B", json!({}));
    world.succeed("D", json!({}));
    assert_eq!(world.execution.status, ExecutionStatus::Succeeded);
}

#[test]
fn a_stopped_execution_can_be_taken_up_again_and_again() {
    let mut world = World::new(BRANCHES);
    world.advance(&[]);
    world.advance(&[Event::StopRequested]);
    world.succeed("A", json!({}));
    world.succeed("C", json!({}));
    assert_eq!(world.execution.status, ExecutionStatus::Stopped);
    for attempt in 1..=3 {
        world.advance(&[Event::RetryRequested]);
        assert_eq!(world.invoked.last().map(|(_, count, _)| *count), Some(attempt));
        world.fail("B");
        assert_eq!(world.execution.status, ExecutionStatus::Failed);
    }
}

#[test]
fn an_execution_that_ended_in_a_fail_step_is_not_taken_up_again() {
    let mut world =
        World::new("\n  - { Name: Stop, Type: Fail, Arguments: { ErrorMessage: enough } }\n");
    world.advance(&[]);
    assert_eq!(
        check_retry(&world.start, &world.pipeline, &world.execution),
        Err(ControlError::FailStep)
    );
    assert!(world.plan(&[Event::RetryRequested]).commit.is_empty());
}

const CALLBACK: &str = "
  - { Name: Ask, Type: Callback, SqsQueueUrl: 'https://sqs/q', Arguments: { n: 1 }, TimeoutSeconds: 60, OutputParameters: [{ OutputName: n, OutputType: Integer }] }
  - { Name: B, Type: Lambda, FunctionArn: f, Arguments: { n: { Get: \"Steps.Ask.OutputParameters['n']\" } } }
";

#[test]
fn a_callback_step_sends_sagemakers_message_and_waits_for_the_answer() {
    let mut world = World::new(CALLBACK);
    world.advance(&[]);
    let body = world.sent[0].clone();
    let token = body["token"].as_str().expect("a token");
    assert!(token.len() == 10 && token.bytes().all(|b| b.is_ascii_alphanumeric()), "{token}");
    assert_eq!(body["arguments"], json!({"n": 1}));
    assert_eq!(body["status"], "Executing");
    assert_eq!(body["pipelineExecutionArn"], world.start.execution_arn());
    world.answer(json!({"n": "7"}));
    assert_eq!(world.payload("B")["n"], 7, "typed by its declaration");
}

#[test]
fn a_callback_without_an_answer_fails_at_its_deadline() {
    let mut world = World::new(CALLBACK);
    world.advance(&[]);
    world.wake();
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
}

#[test]
fn a_stop_sends_a_second_message_and_waits_for_the_callback() {
    let mut world = World::new(CALLBACK);
    world.advance(&[]);
    world.advance(&[Event::StopRequested]);
    assert_eq!(world.sent[1]["status"], "Stopping");
    assert_eq!(world.sent[1]["token"], world.sent[0]["token"]);
    assert_eq!(world.execution.status, ExecutionStatus::Stopping);
    world.answer(json!({"n": 1}));
    assert_eq!(world.execution.status, ExecutionStatus::Stopped);
}

#[test]
fn a_no_echo_parameter_reaches_its_function_and_nothing_else() {
    let text = "
Parameters: [{ Name: Password, Type: String, NoEcho: true, DefaultValue: hunter2 }]
Steps:
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { p: { Get: Parameters.Password } } }
  - Name: G
    Type: Condition
    Arguments: { Conditions: [{ Type: Equals, LeftValue: { Get: Parameters.Password }, RightValue: x }] }
  - { Name: Stop, Type: Fail, DependsOn: [A], Arguments: { ErrorMessage: { Get: Parameters.Password } } }
";
    let mut world = World::new(text);
    world.advance(&[]);
    assert_eq!(world.payload("A")["p"], "hunter2");
    world.succeed("A", json!({}));
    let commits = serde_json::to_string(&world.commits).expect("JSON");
    assert!(!commits.contains("hunter2"), "{commits}");
    assert!(world.cache.is_empty(), "what it reads cannot be part of a key");
    let name = ParameterName::parse("Password").expect("legal");
    assert_eq!(world.start.parameters[&name], "hunter2");
    let description = describe(
        &world.start,
        &world.pipeline,
        &world.commits,
        &std::collections::BTreeMap::new(),
        0,
    );
    let json = serde_json::to_string(&description).expect("JSON");
    assert!(json.contains("****") && !json.contains("hunter2"), "{json}");
}

/// Two steps: the second runs however the first ends, if its data differs from the last succeeded
/// execution.
const WHEN_CHANGED: &str = "
  - { Name: First, Type: Lambda, FunctionArn: f, Arguments: { k: 1 } }
  - Name: A
    Type: Lambda
    FunctionArn: f
    Arguments: { k: 2 }
    DependsOn: [First]
    TriggerRule: AllDone
    When: { Conditions: [{ Type: Changed, Value: 's3://bucket/data' }] }
";

#[test]
fn numbers_of_attempts_go_on_also_where_the_step_was_skipped_in_between() {
    let data = "s3://bucket/data".to_owned();
    let mut before = World::new(WHEN_CHANGED);
    before.contents.insert(data.clone(), "sha256:1".to_owned());
    before.finish(&str::to_owned);
    // Other code, so that nothing is a hit.
    let mut world = before.again(WHEN_CHANGED, "sha256:other");
    world.start.baseline = Some(before.start.execution_id.clone());
    let mut take_up = |content: &str| {
        world.contents.insert(data.clone(), content.to_owned());
        world.advance(&[Event::RetryRequested]);
        world.fail("First");
        if world.execution.status == ExecutionStatus::Executing {
            world.fail("A");
        }
        assert_eq!(world.execution.status, ExecutionStatus::Failed);
        let a = world.index("A");
        let attempts = world.invoked.iter().filter(|(step, ..)| *step == a);
        (world.decided("A").0, attempts.map(|(_, count, _)| *count).collect::<Vec<_>>())
    };
    assert_eq!(take_up("sha256:2"), ("run", vec![1]));
    assert_eq!(take_up("sha256:1"), ("skipped", vec![1]), "its data is as it was");
    assert_eq!(take_up("sha256:1"), ("skipped", vec![1]));
    assert_eq!(take_up("sha256:2"), ("run", vec![1, 2]), "attempt 1 has objects of its own");
}

#[test]
fn a_lease_is_short_only_where_the_handler_renews_it_and_another_attempt_may_follow() {
    let steps = "
  - Name: A
    Type: Lambda
    FunctionArn: f
    Arguments: { k: 1 }
    RetryPolicies: [{ ExceptionType: [Sidestep.FunctionError], IntervalSeconds: 10, MaxAttempts: 5 }]
";
    let lease_s = |world: &World| {
        let commit = world.commits.last().expect("a commit");
        let claim = commit.claim(world.index("A")).expect("an attempt");
        (claim.lease_until_ms - commit.at_ms) / 1_000
    };
    let begin = |has_sdk: bool| {
        let mut world = World::new(steps);
        for function in world.start.functions.values_mut() {
            function.has_sdk = has_sdk;
        }
        let step = world.pipeline.step(world.index("A"));
        assert_eq!(can_be_renewed(&world.start, step), has_sdk, "the sweep looks for renewals");
        world.advance(&[]);
        world
    };
    assert_eq!(lease_s(&begin(false)), 960, "no handler renews it");
    let mut world = begin(true);
    assert_eq!(lease_s(&world), 180);
    world.fail("A");
    world.wake();
    assert_eq!(lease_s(&world), 180, "attempt 2, after a failure that was reported");
    world.fail("A");
    world.wake();
    assert_eq!(lease_s(&world), 960, "attempt 3 is the last that may be lost");
    let mut world = begin(true);
    world.lose("A");
    assert_eq!(lease_s(&world), 960, "a queue that is long may have kept the first");
}
