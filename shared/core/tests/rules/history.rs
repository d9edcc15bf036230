//! Histories of executions in `tests/fixtures/history`: they read, fold and plan the same for ever.
//!
//! A history is never edited. One of a newer layout of state gets a folder of its own, by
//! `SIDESTEP_WRITE_HISTORY=1 cargo test -p sidestep-core rules::history`, which writes what is not
//! there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::Commit;
use sidestep_core::execution::start::{STATE_VERSION, Start};
use sidestep_core::plan::Event;
use sidestep_core::view::description::describe;

use super::world::World;

const STEPS: &str = "
  - { Name: Load, Type: Lambda, FunctionArn: f, Arguments: { k: 1 }, OutputParameters: [{ OutputName: uri, OutputType: String }] }
  - Name: Check
    Type: Lambda
    FunctionArn: f
    Arguments: { of: { Get: \"Steps.Load.OutputParameters['uri']\" } }
    OutputParameters: [{ OutputName: rows, OutputType: Integer }]
    RetryPolicies: [{ ExceptionType: [Sidestep.FunctionError], IntervalSeconds: 10, MaxAttempts: 2 }]
    TimeoutSeconds: 600
  - Name: Enough
    Type: Condition
    Arguments:
      Conditions: [{ Type: GreaterThan, LeftValue: { Get: \"Steps.Check.OutputParameters['rows']\" }, RightValue: 10 }]
      IfSteps:
        - { Name: Train, Type: Lambda, FunctionArn: f, Arguments: { k: 2 } }
      ElseSteps:
        - { Name: Few, Type: Fail, Arguments: { ErrorMessage: too few } }
  - { Name: Ask, Type: Callback, SqsQueueUrl: 'https://q.test/q', Arguments: {}, OutputParameters: [{ OutputName: o, OutputType: String }] }
";

/// What is written down of an execution.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct History {
    start: Value,
    commits: Vec<Value>,
    description: Value,
}

/// Returns an execution with a retry, a lost attempt, a stop and a resumption; then one that finds
/// results in the cache.
fn executions() -> Vec<World> {
    let mut first = World::new(STEPS);
    first.advance(&[]);
    first.write("Load", "one");
    first.fail("Check");
    first.wake();
    first.lose("Check");
    first.advance(&[Event::StopRequested]);
    first.succeed("Check", json!({ "rows": 20 }));
    first.answer(json!({ "o": "yes" }));
    first.now_ms += 5_000;
    first.advance(&[Event::RetryRequested]);
    first.succeed("Train", json!({}));
    let mut second = first.again(STEPS, "sha256:code");
    second.advance(&[]);
    second.answer(json!({ "o": "no" }));
    let mut third = second.again(STEPS, "sha256:other");
    third.advance(&[]);
    third.write("Load", "two");
    third.succeed("Check", json!({ "rows": 3 }));
    third.answer(json!({ "o": "no" }));
    vec![first, second, third]
}

fn described(world: &World, start: &Start, commits: &[Commit]) -> Value {
    let now_ms = world.now_ms;
    json!(describe(start, &world.pipeline, commits, &BTreeMap::new(), now_ms))
}

/// Takes the reasons out of a commit: words for people may be put better.
fn without_reasons(mut commit: Value) -> Value {
    for decision in commit["Decisions"].as_array_mut().into_iter().flatten() {
        decision["Reason"].take();
    }
    commit
}

#[test]
fn what_was_written_once_reads_folds_and_plans_the_same_for_ever() {
    for version in 1..=STATE_VERSION {
        reads_folds_and_plans_the_same(version);
    }
}

#[allow(clippy::disallowed_methods, reason = "the test reads its files")]
fn reads_folds_and_plans_the_same(version: u32) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../../tests/fixtures/history/{version}"));
    let is_writing = std::env::var_os("SIDESTEP_WRITE_HISTORY").is_some();
    let worlds = executions();
    for (number, world) in worlds.iter().enumerate() {
        assert!(world.execution.status.is_over(), "{:?}", world.execution);
        let file = folder.join(format!("{number}.json"));
        if is_writing && !file.exists() {
            let history = History {
                start: json!(world.start),
                commits: world.commits.iter().map(|commit| json!(commit)).collect(),
                description: described(world, &world.start, &world.commits),
            };
            let text = serde_json::to_string_pretty(&history).expect("JSON");
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(&file, text + "\n").expect("written");
        }
        let text = std::fs::read_to_string(&file).expect("a history");
        let history: History = serde_json::from_str(&text).expect("a history");

        // Nothing that was written is dropped.
        let start: Start = serde_json::from_value(history.start.clone()).expect("a start");
        assert_eq!(json!(start), history.start, "{number}");
        let read = |commit: &Value| serde_json::from_value(commit.clone()).expect("a commit");
        let commits: Vec<Commit> = history.commits.iter().map(read).collect();
        for (commit, written) in commits.iter().zip(&history.commits) {
            assert_eq!(json!(commit), *written, "{number}");
        }
        // It folds, and says of the execution what it said then.
        let mut execution = Execution::new(world.pipeline.steps.len());
        for commit in &commits {
            execution.apply(commit).expect("it follows");
        }
        assert_eq!(described(world, &start, &commits), history.description, "{number}");
        // And from the same events the same is planned.
        let planned: Vec<_> =
            world.commits.iter().map(|commit| without_reasons(json!(commit))).collect();
        let written: Vec<_> = history.commits.into_iter().map(without_reasons).collect();
        assert_eq!(planned, written, "{number}");
    }
}
