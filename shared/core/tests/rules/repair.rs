//! Late reports, and executions put together again from manifests.

use std::collections::BTreeMap;

use serde_json::json;
use sidestep_core::execution::invocation::MANIFEST_NAME;
use sidestep_core::execution::manifest::{Manifest, Timing};
use sidestep_core::execution::proof::{Proof, Token};
use sidestep_core::execution::{Execution, ExecutionStatus, Phase};
use sidestep_core::plan::late_report::late_report;
use sidestep_core::plan::repair::{Found, repair};
use sidestep_core::plan::{Event, Report};

use super::world::{World, succeeded};

const CHAIN: &str = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 }, TimeoutSeconds: 9 }
  - { Name: B, Type: Lambda, FunctionArn: f, Arguments: { k: 2 }, DependsOn: [A], OutputParameters: [{ OutputName: n, OutputType: Integer }] }
  - { Name: C, Type: Lambda, FunctionArn: f, Arguments: { k: 3 }, DependsOn: [B] }
";

fn report(world: &World, name: &str) -> Report {
    match world.report(name, succeeded(json!({"n": 1}), Vec::new())) {
        Event::Reported(report) => report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_report_is_noted_as_late_only_when_its_attempt_was_given_up() {
    let mut world = World::new(CHAIN);
    world.advance(&[]);
    let of_a = report(&world, "A");
    world.wake();
    assert_eq!(world.execution.status, ExecutionStatus::Failed, "A's time is up");
    let late = late_report(&of_a, &world.pipeline, &world.start, &world.commits, 7).expect("late");
    assert_eq!((late.step, late.attempt_count, late.failure_type), (world.index("A"), 1, None));
    let proof = Proof::Token(Token("AAAA".to_owned()));
    let forged = Report { proof, ..of_a.clone() };
    assert_eq!(late_report(&forged, &world.pipeline, &world.start, &world.commits, 7), None);
    let other = Report { attempt_count: 2, ..of_a };
    assert_eq!(late_report(&other, &world.pipeline, &world.start, &world.commits, 7), None);

    let mut world = World::new(CHAIN);
    world.advance(&[]);
    let of_a = report(&world, "A");
    world.succeed("A", json!({}));
    assert_eq!(
        late_report(&of_a, &world.pipeline, &world.start, &world.commits, 7),
        None,
        "a mere repeat"
    );
}

/// Returns what the functions of `world` left in S3, as the step SDK writes it.
fn found(world: &World, names: &[&str], outputs: &serde_json::Value) -> Found {
    let mut found = Found::default();
    for name in names {
        let report = report(world, name);
        let prefix = world.start.attempt_prefix(&report.step, 1);
        let Proof::Token(Token(token)) = report.proof else { panic!("a token") };
        let outputs = outputs.as_object().expect("an object").clone();
        let timing = Timing { started_at_ms: 0, duration_ms: 5 };
        let manifest = Manifest::new(&token, outputs, Vec::new(), timing);
        found.manifests.insert(1, (prefix.join(MANIFEST_NAME), manifest));
        found.last_attempt = 1;
    }
    found
}

fn chain_to_c() -> World {
    let mut world = World::new(CHAIN);
    world.advance(&[]);
    world.succeed("A", json!({}));
    world.succeed("B", json!({"n": 4}));
    world
}

#[test]
fn manifests_stand_in_for_commits_that_are_gone_and_the_rest_runs_anew() {
    let mut world = chain_to_c();
    let [a, b, c] = ["A", "B", "C"].map(|name| world.index(name));
    let in_s3 = BTreeMap::from([
        (a, found(&world, &["A"], &json!({}))),
        (b, found(&world, &["B"], &json!({"n": 4}))),
        // C was claimed, and left an artifact but no manifest.
        (c, Found { last_attempt: 1, manifests: BTreeMap::new() }),
    ]);
    let empty = Execution::new(world.pipeline.steps.len());
    let repaired = repair(&world.pipeline, &world.start, &empty, &in_s3, 9);
    assert_eq!(repaired.taken, [a, b]);
    world.execution = empty;
    world.commits.clear();
    for commit in repaired.commits {
        world.execution.apply(&commit).expect("legal");
        world.commits.push(commit);
    }
    world.invoked.clear();
    world.advance(&[Event::RetryRequested]);
    assert_eq!(world.execution.step(a).phase, Phase::Succeeded);
    assert_eq!(world.invoked(), ["C"]);
    assert_eq!(world.invoked[0].1, 2, "under a number that no attempt had");
    world.succeed("C", json!({}));
    assert_eq!(world.execution.status, ExecutionStatus::Succeeded);
}

#[test]
fn a_manifest_is_taken_only_with_a_right_proof_right_outputs_and_all_it_was_made_from() {
    let world = chain_to_c();
    let [a, b] = ["A", "B"].map(|name| world.index(name));
    let empty = Execution::new(world.pipeline.steps.len());
    let taken =
        |in_s3: BTreeMap<_, _>| repair(&world.pipeline, &world.start, &empty, &in_s3, 9).taken;
    let (of_a, of_b) = (found(&world, &["A"], &json!({})), found(&world, &["B"], &json!({"n": 4})));
    assert_eq!(taken(BTreeMap::from([(b, of_b.clone())])), [], "A is not known");
    let wrong = found(&world, &["B"], &json!({"n": "many"}));
    assert_eq!(taken(BTreeMap::from([(a, of_a.clone()), (b, wrong)])), [a]);
    let mut forged = of_a;
    let manifest = &mut forged.manifests.get_mut(&1).expect("it is there").1;
    manifest.outputs.insert("n".to_owned(), json!(1));
    assert_eq!(taken(BTreeMap::from([(a, forged), (b, of_b)])), [], "other outputs");
}
