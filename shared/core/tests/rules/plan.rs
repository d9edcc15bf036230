//! Order, results, reuse and failures.

use serde_json::{Map, Value, json};
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::execution::proof::{Proof, Token};
use sidestep_core::name::StepName;
use sidestep_core::plan::{Event, ReportedResult};

use super::world::{World, decisions, succeeded};

const CHAIN: &str = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 }, OutputParameters: [{ OutputName: uri, OutputType: String }] }
  - { Name: B, Type: Lambda, FunctionArn: f, Arguments: { in: { Get: \"Steps.A.OutputParameters['uri']\" } }, OutputParameters: [{ OutputName: uri, OutputType: String }] }
  - { Name: C, Type: Lambda, FunctionArn: f, Arguments: { in: { Get: \"Steps.B.OutputParameters['uri']\" } } }
";

const DIAMOND: &str = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 } }
  - { Name: B, Type: Lambda, FunctionArn: f, Arguments: { k: 2 }, DependsOn: [A] }
  - { Name: C, Type: Lambda, FunctionArn: f, Arguments: { k: 3 }, DependsOn: [A] }
  - { Name: D, Type: Lambda, FunctionArn: f, Arguments: { k: 4 }, DependsOn: [B, C] }
";

const GATE: &str = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 }, OutputParameters: [{ OutputName: n, OutputType: Integer }] }
  - Name: G
    Type: Condition
    Arguments:
      Conditions: [{ Type: GreaterThan, LeftValue: { Get: \"Steps.A.OutputParameters['n']\" }, RightValue: 5 }]
      IfSteps: [{ Name: Yes, Type: Lambda, FunctionArn: f, Arguments: { k: 2 } }]
      ElseSteps: [{ Name: No, Type: Fail, Arguments: { ErrorMessage: too small } }]
  - { Name: After, Type: Lambda, FunctionArn: f, Arguments: { k: 3 }, DependsOn: [Yes] }
";

fn run_chain(world: &mut World) {
    world.advance(&[]);
    world.write("A", "aa");
    world.write("B", "bb");
    world.succeed("C", json!({}));
    assert_eq!(world.execution.status, ExecutionStatus::Succeeded);
}

#[test]
fn nothing_runs_before_all_its_dependencies_succeeded() {
    let mut world = World::new(DIAMOND);
    world.advance(&[]);
    assert_eq!(world.invoked(), ["A"]);
    world.succeed("A", json!({}));
    assert_eq!(world.invoked(), ["A", "B", "C"]);
    world.succeed("B", json!({}));
    assert_eq!(world.invoked(), ["A", "B", "C"], "D waits for C too");
    world.succeed("C", json!({}));
    assert_eq!(world.invoked(), ["A", "B", "C", "D"]);
    world.succeed("D", json!({}));
    assert_eq!(world.execution.status, ExecutionStatus::Succeeded);
}

#[test]
fn a_second_run_with_nothing_changed_is_settled_in_one_commit_without_an_invocation() {
    let mut first = World::new(CHAIN);
    run_chain(&mut first);
    let mut second = first.again(CHAIN, "sha256:code");
    let plan = second.advance(&[]);
    assert_eq!(decisions(&second, &plan), ["A hit", "B hit", "C hit"]);
    assert_eq!(second.invoked(), [""; 0]);
    assert_eq!((second.execution.status, second.commits.len()), (ExecutionStatus::Succeeded, 1));
}

#[test]
fn a_step_that_runs_again_to_the_same_content_does_not_wake_its_successors() {
    let mut first = World::new(CHAIN);
    run_chain(&mut first);
    // Another argument of A, so A runs; it writes the same bytes to another place.
    let changed = CHAIN.replace("k: 1", "k: 2");
    let mut second = first.again(&changed, "sha256:code");
    assert_eq!(decisions(&second, &second.plan(&[])), ["A run"]);
    second.advance(&[]);
    let plan = second.write("A", "aa");
    assert_eq!(decisions(&second, &plan), ["B hit", "C hit"]);
    assert_eq!(second.invoked(), ["A"]);
}

#[test]
fn other_content_or_other_code_runs_the_step() {
    let mut first = World::new(CHAIN);
    run_chain(&mut first);
    let changed = CHAIN.replace("k: 1", "k: 2");
    let mut second = first.again(&changed, "sha256:code");
    second.advance(&[]);
    assert_eq!(
        decisions(
            &second,
            &second.plan(&[second.report("A", succeeded(json!({"uri": "x"}), Vec::new()))])
        ),
        ["B run"]
    );
    let third = first.again(CHAIN, "sha256:other");
    assert_eq!(decisions(&third, &third.plan(&[])), ["A run"]);
}

#[test]
fn a_hit_whose_artifact_is_gone_or_overwritten_is_a_miss_that_says_so() {
    let mut first = World::new(CHAIN);
    run_chain(&mut first);
    let uri = first.start.output_prefix.join("A/1/data").to_string();
    let mut gone = first.again(CHAIN, "sha256:code");
    gone.contents.remove(&uri);
    let plan = gone.plan(&[]);
    assert_eq!(plan.commit.decisions[0].reason, format!("`{uri}` of the cached result is gone"));
    let mut other = first.again(CHAIN, "sha256:code");
    other.contents.insert(uri.clone(), "sha256:zz".to_owned());
    let plan = other.plan(&[]);
    assert_eq!(
        plan.commit.decisions[0].reason,
        format!("`{uri}` of the cached result was overwritten")
    );
}

#[test]
fn a_failure_is_never_cached_and_keeps_dependents_from_starting() {
    let mut world = World::new(DIAMOND);
    world.advance(&[]);
    world.succeed("A", json!({}));
    let cached = world.cache.len();
    world.fail("B");
    assert_eq!(world.cache.len(), cached);
    assert_eq!(world.execution.status, ExecutionStatus::Executing, "C is still running");
    let plan = world.succeed("C", json!({}));
    assert_eq!(decisions(&world, &plan), ["D not started"]);
    let reason = plan.commit.end.expect("over").failure_reason.expect("failed");
    assert_eq!(reason, "Step failure: One or multiple steps failed. `B`: broke");
}

#[test]
fn the_untaken_branch_and_what_only_it_reaches_is_skipped_with_the_reason() {
    let mut world = World::new(GATE);
    world.advance(&[]);
    let plan = world.succeed("A", json!({"n": "9"}));
    assert_eq!(decisions(&world, &plan), ["G true", "Yes run", "No skipped"]);
    assert_eq!(plan.commit.decisions[0].reason, "9 > 5 is true");
    let mut world = World::new(GATE);
    world.advance(&[]);
    let plan = world.succeed("A", json!({"n": 5}));
    let found = decisions(&world, &plan);
    assert!(
        found.contains(&"Yes skipped".to_owned()) && found.contains(&"No failed".to_owned()),
        "{found:?}"
    );
    let reason = plan.commit.end.expect("over").failure_reason.expect("failed");
    assert!(reason.ends_with("`No`: too small"), "{reason}");
}

#[test]
fn a_repeated_a_late_and_a_forged_report_change_nothing() {
    let mut world = World::new(DIAMOND);
    world.advance(&[]);
    let report = world.report("A", succeeded(json!({}), Vec::new()));
    let Event::Reported(mut forged) = report.clone() else { panic!("a report") };
    forged.proof = Proof::Token(Token("forged".to_owned()));
    let plan = world.plan(&[Event::Reported(forged)]);
    assert!(plan.commit.is_empty() && plan.discarded.len() == 1, "{plan:?}");
    world.advance(std::slice::from_ref(&report));
    let plan = world.plan(&[report]);
    assert!(
        plan.commit.is_empty() && plan.effects.is_empty() && plan.discarded.len() == 1,
        "{plan:?}"
    );
}

#[test]
fn events_about_a_step_that_the_pipeline_does_not_have_are_discarded() {
    let mut world = World::new(DIAMOND);
    world.advance(&[]);
    let report = world.report("A", succeeded(json!({}), Vec::new()));
    let Event::Reported(mut unknown) = report else { panic!("a report") };
    unknown.step = StepName::parse("Z").expect("legal");
    let lost = Event::AttemptLost { step: unknown.step.clone(), last_attempt: 3 };
    let plan = world.plan(&[Event::Reported(unknown), lost]);
    assert!(plan.commit.is_empty() && plan.effects.is_empty(), "{plan:?}");
    let discarded: Vec<_> = plan
        .discarded
        .iter()
        .map(|discarded| (discarded.step.as_str(), discarded.attempt_count, discarded.reason))
        .collect();
    assert_eq!(discarded, [("Z", 1, "no such step"), ("Z", 0, "no such step")]);
}

#[test]
fn a_lost_attempt_begins_again_and_the_old_ones_report_no_longer_counts() {
    let mut world = World::new(DIAMOND);
    world.advance(&[]);
    let old = world.report("A", succeeded(json!({}), Vec::new()));
    world.lose("A");
    assert_eq!(world.invoked.last().map(|(_, attempt, _)| *attempt), Some(2));
    assert!(world.plan(&[old]).commit.is_empty());
    world.lose("A");
    let plan = world.lose("A");
    assert!(plan.commit.end.expect("over").failure_reason.is_some());
}

#[test]
fn an_output_that_does_not_convert_fails_the_step() {
    let mut world = World::new(GATE);
    world.advance(&[]);
    let plan = world.succeed("A", json!({"n": 1.5}));
    let reason = plan.commit.end.expect("over").failure_reason.expect("failed");
    assert!(reason.contains("output `n`: 1.5 (Float) is not of type Integer"), "{reason}");
}

#[test]
fn a_step_without_outputs_takes_what_its_function_returns() {
    let returned = [json!("done"), json!([1]), json!(true), json!(7), json!(null), json!({"n": 1})];
    for value in returned {
        let mut world =
            World::new("  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: {} }\n");
        world.advance(&[]);
        world.advance(&[world.report("A", ReportedResult::Returned(value.clone()))]);
        assert_eq!(world.execution.status, ExecutionStatus::Succeeded, "{value}");
        // A step that declares outputs must get an object.
        let mut world = World::new(GATE);
        world.advance(&[]);
        let plan = world.advance(&[world.report("A", ReportedResult::Returned(value.clone()))]);
        let refused = plan.commit.end.and_then(|end| end.failure_reason).unwrap_or_default();
        let is_fit = value.is_object() || value.is_null();
        assert_eq!(!refused.contains("not a JSON object"), is_fit, "{value}: {refused}");
    }
}

#[test]
fn a_large_output_goes_to_the_manifest_behind_a_pointer() {
    let mut world = World::new(DIAMOND);
    world.advance(&[]);
    let outputs = Map::from_iter([("text".to_owned(), json!("x".repeat(9_000)))]);
    let plan = world.plan(&[world.report("A", succeeded(Value::Object(outputs), Vec::new()))]);
    assert_eq!(plan.manifests.len(), 1);
    assert!(serde_json::to_vec(&plan.commit).expect("JSON").len() < 4_000);
}

#[test]
fn decisions_that_do_not_fit_one_commit_take_several() {
    // A claim keeps what its key was made of.
    let long = "x".repeat(2_000);
    let step = |n| {
        format!(
            "  - {{ Name: S{n}, Type: Lambda, FunctionArn: f, Arguments: {{ k: {n}, long: {long} }} }}\n"
        )
    };
    let steps: String = (0..200).map(step).collect();
    let mut world = World::new(&format!("\n{steps}"));
    let mut rounds = 0;
    while world.advance(&[]).is_partial {
        rounds += 1;
    }
    let sizes = world.commits.iter().map(|commit| serde_json::to_vec(commit).expect("JSON").len());
    assert!(rounds > 0 && sizes.max().expect("some") < 400_000, "an item has 400 KB at most");
    assert_eq!(world.invoked.len(), 200, "each once");
}
