//! The limits of a start, of an invocation and of a step's result, from both sides: what is at a
//! limit takes the whole way, and what is above it is refused with the limit in its text.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sidestep_core::definition::parameter::resolve_parameters;
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::execution::commit::{Commit, Failure};
use sidestep_core::execution::manifest::{Artifact, Manifest, Timing};
use sidestep_core::limits::{
    ARTIFACT_LIST_BYTES, ARTIFACTS, FAILURE_REASON_CHARS, INLINE_OUTPUT_BYTES, MANIFEST_BYTES,
    OUTPUT_BYTES, OUTPUT_DEPTH, PARAMETER_VALUE_CHARS, PAYLOAD_BYTES, SELECTORS, artifact_bytes,
};
use sidestep_core::parse::{Format, parse};
use sidestep_core::plan::{Event, ReportedResult};
use sidestep_core::selection::expand;
use sidestep_core::selection::selector::Selector;
use sidestep_core::uri::S3Uri;

use super::world::World;

const STEP: &str = "  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: {} }\n";

/// Returns outputs of exactly so many bytes as JSON.
fn sized(bytes: usize) -> Value {
    json!({ "o": "x".repeat(bytes - json!({ "o": "" }).to_string().len()) })
}

/// Returns outputs nested exactly so deep, the object that holds them included.
fn nested(levels: usize) -> Value {
    let inner = (1..levels).fold(json!(1), |inner, _| json!([inner]));
    json!({ "o": inner })
}

fn artifacts(names: impl IntoIterator<Item = String>) -> Vec<Artifact> {
    let prefix = World::new(STEP).start.output_prefix.join("A/1/");
    let artifact = |name: String| Artifact {
        uri: prefix.join(&name),
        bytes: u64::from(u32::MAX),
        sha256: "0".repeat(64),
    };
    names.into_iter().map(artifact).collect()
}

fn numbered(count: usize) -> Vec<Artifact> {
    artifacts((0..count).map(|number| format!("{number:06}")))
}

/// Artifacts whose list takes exactly so many bytes.
fn listed(bytes: usize) -> Vec<Artifact> {
    let name = |number: usize, length: usize| format!("{number:0length$}");
    let (each, count) = (500, bytes / artifact_bytes(&name(0, 500)));
    let rest = bytes - (count - 1) * artifact_bytes(&name(0, each));
    let last = name(count, rest - artifact_bytes(""));
    artifacts((1..count).map(|number| name(number, each)).chain([last]))
}

fn result(outputs: Value, artifacts: Vec<Artifact>) -> ReportedResult {
    let Value::Object(outputs) = outputs else { panic!("outputs are an object") };
    // With a manifest, large outputs stay there.
    let manifest = Some(S3Uri::new("artifacts", "runs/p/e/A/1/manifest.json"));
    ReportedResult::Succeeded { outputs, artifacts, duration_ms: Some(1), manifest }
}

/// Plans until nothing is left, as the engine does. A large commit leaves the rest to the next one.
fn settle(world: &mut World, events: &[Event]) {
    let mut is_partial = world.advance(events).is_partial;
    while is_partial {
        is_partial = world.advance(&[]).is_partial;
    }
}

fn end(result: ReportedResult) -> (World, ExecutionStatus) {
    let mut world = World::new(STEP);
    world.advance(&[]);
    let event = world.report("A", result);
    settle(&mut world, &[event]);
    let status = world.execution.status;
    (world, status)
}

/// Name, a result at the limit, one above it, and the failure type and the limit in its text.
type Case = (&'static str, ReportedResult, ReportedResult, &'static str, usize);

fn cases() -> Vec<Case> {
    vec![
        (
            "bytes of outputs",
            result(sized(OUTPUT_BYTES), vec![]),
            result(sized(OUTPUT_BYTES + 1), vec![]),
            "Sidestep.OutputTooLarge",
            OUTPUT_BYTES,
        ),
        (
            "depth of outputs",
            result(nested(OUTPUT_DEPTH), vec![]),
            result(nested(OUTPUT_DEPTH + 1), vec![]),
            "Sidestep.OutputTooDeep",
            OUTPUT_DEPTH,
        ),
        (
            "number of artifacts",
            result(json!({}), numbered(ARTIFACTS)),
            result(json!({}), numbered(ARTIFACTS + 1)),
            "Sidestep.Artifact",
            ARTIFACTS,
        ),
        (
            "list of artifacts",
            result(json!({}), listed(ARTIFACT_LIST_BYTES)),
            result(json!({}), listed(ARTIFACT_LIST_BYTES + 1)),
            "Sidestep.Artifact",
            ARTIFACT_LIST_BYTES,
        ),
    ]
}

#[test]
fn a_result_at_a_limit_counts_and_one_above_is_refused() {
    for (name, at, above, failure_type, limit) in cases() {
        let (world, status) = end(at);
        assert_eq!(status, ExecutionStatus::Succeeded, "{name}");
        for commit in &world.commits {
            let text = serde_json::to_string(commit).unwrap();
            assert_eq!(&serde_json::from_str::<Commit>(&text).unwrap(), commit, "{name}");
        }
        let (world, status) = end(above);
        assert_eq!(status, ExecutionStatus::Failed, "{name}");
        let text = serde_json::to_string(&world.commits).unwrap();
        assert!(text.contains(failure_type), "{name}: {text}");
        assert!(text.contains(&format!(" {limit}")), "{name}: {text}");
    }
}

#[test]
fn the_deepest_outputs_are_read_back_from_wherever_they_are_stored() {
    let ReportedResult::Succeeded { outputs, .. } = result(nested(OUTPUT_DEPTH), vec![]) else {
        unreachable!()
    };
    let step = "  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: {}, CacheConfig: \
                { Enabled: true } }\n";
    let mut first = World::new(step);
    first.advance(&[]);
    first.succeed("A", Value::Object(outputs.clone()));
    let mut second = first.again(step, "sha256:code");
    second.advance(&[]);
    let hit = second.commits.last().unwrap();
    assert!(hit.decisions[0].verdict.decision() == "CacheHit", "{hit:?}");
    let invocation = json!({ "Sidestep": { "State": { "Commits": [[hit]] } } });
    let event = json!({ "responsePayload": { "Report": { "Manifest": { "Outputs": outputs } } } });
    let described = json!({ "Steps": [{ "Outputs": { "o": [outputs] } }] });
    for value in [json!(hit), json!({ "requestPayload": invocation }), event, described] {
        let text = value.to_string();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}

#[test]
fn two_results_that_do_not_fit_in_one_commit_are_committed_one_after_the_other() {
    let steps = format!("{STEP}{}", STEP.replace("Name: A", "Name: B").replace("{}", "{ b: 1 }"));
    let mut world = World::new(&steps);
    world.advance(&[]);
    let events = ["A", "B"].map(|step| {
        let prefix = world.start.output_prefix.join(&format!("{step}/1/"));
        let of_step = |it: Artifact| {
            let name = it.uri.key().rsplit('/').next().unwrap();
            Artifact { uri: prefix.join(name), ..it }
        };
        let artifacts = listed(200_000).into_iter().map(of_step).collect();
        world.report(step, result(json!({}), artifacts))
    });
    let plan = world.advance(&events);
    assert_eq!((plan.taken, plan.is_partial), (1, true));
    assert_eq!(plan.commit.completions.len(), 1);
    settle(&mut world, &events[1..]);
    let status = world.execution.status;
    assert_eq!(status, ExecutionStatus::Succeeded, "{:?}", world.commits.last());
}

#[test]
fn a_manifest_at_every_other_limit_is_read() {
    let ReportedResult::Succeeded { outputs, .. } = result(sized(OUTPUT_BYTES), vec![]) else {
        unreachable!()
    };
    for artifacts in [numbered(ARTIFACTS), listed(ARTIFACT_LIST_BYTES)] {
        let timing = Timing { started_at_ms: u64::MAX, duration_ms: u64::MAX };
        let manifest = Manifest::new("t", outputs.clone(), artifacts, timing);
        assert!(serde_json::to_vec(&manifest).unwrap().len() < MANIFEST_BYTES);
    }
}

#[test]
fn a_value_given_at_start_may_be_as_long_as_the_limit() {
    let definition = "Parameters: [{ Name: P, Type: String }]\nSteps:\n  - { Name: A, Type: Lambda, \
                      FunctionArn: f, Arguments: { p: { Get: Parameters.P } } }\n";
    let pipeline = parse(definition.as_bytes(), Format::Yaml).unwrap().pipeline;
    let given = |chars| BTreeMap::from([("P".to_owned(), "ä".repeat(chars))]);
    assert!(resolve_parameters(&pipeline, &given(PARAMETER_VALUE_CHARS)).is_ok());
    let refused = resolve_parameters(&pipeline, &given(PARAMETER_VALUE_CHARS + 1)).unwrap_err();
    assert!(refused[0].to_string().contains(&PARAMETER_VALUE_CHARS.to_string()), "{refused:?}");
}

#[test]
fn an_invocation_takes_as_many_bytes_as_lambda_does() {
    let with = |chars: usize| {
        let arguments = format!("Arguments: {{ x: {} }}", "x".repeat(chars));
        let mut world = World::new(&STEP.replace("Arguments: {}", &arguments));
        world.advance(&[]);
        world
    };
    let least = with(1).payload("A").to_string().len() - 1;
    let at = with(PAYLOAD_BYTES - least);
    assert_eq!(at.payload("A").to_string().len(), PAYLOAD_BYTES);
    let above = with(PAYLOAD_BYTES - least + 1);
    let text = serde_json::to_string(&above.commits).unwrap();
    assert!(above.invoked.is_empty() && text.contains("Sidestep.PayloadTooLarge"), "{text}");
    assert!(text.contains(&format!("over the limit of {PAYLOAD_BYTES}")), "{text}");
}

#[test]
fn outputs_stay_in_the_commit_up_to_their_limit() {
    for (bytes, is_inline) in [(INLINE_OUTPUT_BYTES, true), (INLINE_OUTPUT_BYTES + 1, false)] {
        let (world, status) = end(result(sized(bytes), vec![]));
        assert_eq!(status, ExecutionStatus::Succeeded);
        let commit = serde_json::to_vec(world.commits.last().unwrap()).unwrap().len();
        assert_eq!(commit > bytes, is_inline, "{bytes} bytes of outputs, {commit} of the commit");
    }
}

#[test]
fn a_failure_reason_is_cut_at_its_limit() {
    for chars in [FAILURE_REASON_CHARS, FAILURE_REASON_CHARS + 1] {
        let failure = Failure { error_type: "Own".to_owned(), message: "ä".repeat(chars) };
        let (world, status) = end(ReportedResult::Failed(failure));
        assert_eq!(status, ExecutionStatus::Failed);
        let index = world.index("A");
        let mut failures = world.commits.iter().filter_map(|commit| commit.failure(index));
        let failure = failures.next_back().expect("the commit keeps the failure");
        assert_eq!(failure.message.chars().count(), FAILURE_REASON_CHARS);
    }
}

#[test]
fn a_request_may_name_as_many_selectors_as_the_limit() {
    let world = World::new(STEP);
    let named = |count| {
        let select = vec![Selector::parse("A").unwrap(); count - 1];
        let exclude = [Selector::parse("A").unwrap()];
        expand(&world.pipeline, &select, &exclude, &BTreeMap::new(), None)
    };
    // All of them exclude the one step there is.
    assert!(named(SELECTORS).is_ok_and(|selected| selected.is_empty()));
    let refused = named(SELECTORS + 1).unwrap_err().to_string();
    assert!(refused.contains(&SELECTORS.to_string()), "{refused}");
}
