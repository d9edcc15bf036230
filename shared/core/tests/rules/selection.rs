//! Selective execution: SageMaker's rules, sources, and outputs given by hand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, json};
use sidestep_core::definition::StepIndex;
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::execution::commit::Verdict;
use sidestep_core::selection::selector::Selector;
use sidestep_core::selection::{
    SelectionError, check_connected, check_source, check_without_source, expand, requirements,
    supply,
};

use super::world::World;

/// Prep -> Train -> Eval -> Gate(Publish), and Other beside them. Train reads the parameter.
const PIPELINE: &str = "
Parameters: [{ Name: Rate, Type: Float, DefaultValue: 0.1 }]
Steps:
  - { Name: Prep, Type: Lambda, FunctionArn: f, Arguments: { k: 1 }, OutputParameters: [{ OutputName: uri, OutputType: String }, { OutputName: rows, OutputType: Integer }] }
  - { Name: Train, Type: Lambda, FunctionArn: f, Arguments: { in: { Get: \"Steps.Prep.OutputParameters['uri']\" }, rate: { Get: Parameters.Rate } }, OutputParameters: [{ OutputName: uri, OutputType: String }] }
  - { Name: Eval, Type: Lambda, FunctionArn: f, Arguments: { in: { Get: \"Steps.Train.OutputParameters['uri']\" } }, OutputParameters: [{ OutputName: uri, OutputType: String }] }
  - Name: Gate
    Type: Condition
    DependsOn: [Eval]
    Arguments:
      Conditions: [{ Type: LessThan, LeftValue: { Get: Parameters.Rate }, RightValue: 0.5 }]
      IfSteps: [{ Name: Publish, Type: Lambda, FunctionArn: f, Arguments: { in: { Get: \"Steps.Eval.OutputParameters['uri']\" } } }]
      ElseSteps: [{ Name: Reject, Type: Lambda, FunctionArn: f, Arguments: { k: 2 } }]
  - { Name: Other, Type: Lambda, FunctionArn: f, Arguments: { k: 3 } }
";

fn first() -> World {
    let mut world = World::new(PIPELINE);
    world.finish(&str::to_owned);
    world
}

fn selected(world: &World, names: &[&str]) -> BTreeSet<StepIndex> {
    names.iter().map(|name| world.index(name)).collect()
}

fn all(world: &World) -> Vec<String> {
    let steps = world.pipeline.steps.iter();
    steps.map(|step| format!("{} {}", step.name, world.decided(step.name.as_str()).0)).collect()
}

#[test]
fn what_is_not_selected_is_reused_upstream_and_not_selected_elsewhere() {
    let first = first();
    let mut second = first.again(PIPELINE, "sha256:other");
    second.select(&["Train", "Eval"], Some(&first));
    second.finish(&str::to_owned);
    assert_eq!(
        all(&second),
        [
            "Prep reused",
            "Train run",
            "Eval run",
            "Gate not selected",
            "Publish not selected",
            "Reject not selected",
            "Other not selected",
        ]
    );
    assert_eq!(second.execution.status, ExecutionStatus::Succeeded);
}

#[test]
fn a_selected_condition_is_evaluated_anew_and_one_that_is_not_is_taken_as_decided() {
    let first = first();
    let mut gate = first.again(PIPELINE, "sha256:other");
    gate.start.parameters.insert("Rate".parse_name(), json!(0.9));
    gate.select(&["Gate", "Publish", "Reject"], Some(&first));
    gate.finish(&str::to_owned);
    assert_eq!((gate.decided("Gate").0, gate.decided("Publish").0), ("false", "skipped"));
    assert_eq!(gate.invoked(), ["Reject"]);

    let mut branch = first.again(PIPELINE, "sha256:other");
    branch.start.parameters.insert("Rate".parse_name(), json!(0.9));
    branch.select(&["Publish"], Some(&first));
    branch.finish(&str::to_owned);
    assert_eq!(
        (branch.decided("Gate").0, branch.invoked()),
        ("reused", vec!["Publish".to_owned()])
    );
}

trait ParseName {
    fn parse_name(self) -> sidestep_core::name::ParameterName;
}

impl ParseName for &str {
    fn parse_name(self) -> sidestep_core::name::ParameterName {
        sidestep_core::name::ParameterName::parse(self).expect("legal")
    }
}

#[test]
fn a_reused_output_made_with_other_parameters_carries_a_warning() {
    let first = first();
    let mut second = first.again(PIPELINE, "sha256:other");
    second.start.parameters.insert("Rate".parse_name(), json!(0.2));
    second.select(&["Eval"], Some(&first));
    second.finish(&str::to_owned);
    let warning = "its result was made with other parameters: Rate was 0.1 and is 0.2";
    assert_eq!(second.decision("Train").warning.as_deref(), Some(warning));
    assert_eq!(second.decision("Prep").warning, None, "Prep does not read it");

    // A source that had reused it itself still knows what it was made with.
    let mut third = second.again(PIPELINE, "sha256:other");
    third.start.parameters.insert("Rate".parse_name(), json!(0.2));
    third.select(&["Eval"], Some(&second));
    third.finish(&str::to_owned);
    assert_eq!(third.decision("Train").warning.as_deref(), Some(warning));
}

#[test]
fn selected_steps_use_the_cache_unless_forced() {
    let first = first();
    let mut second = first.again(PIPELINE, "sha256:code");
    second.select(&["Train", "Eval"], Some(&first));
    second.start.forced = selected(&second, &["Train"]);
    second.finish(&str::to_owned);
    assert_eq!(second.decided("Train"), ("run", "forced".to_owned()));
    assert_eq!(second.decided("Eval").0, "hit", "the same content does not wake it");
}

#[test]
fn steps_between_selected_steps_must_be_selected_and_the_error_names_them() {
    let world = first();
    let none = BTreeMap::new();
    let error = check_connected(&world.pipeline, &selected(&world, &["Train", "Gate"]), &none)
        .expect_err("Eval is between");
    assert!(error.to_string().contains("[Eval] on paths between them must be selected too"));
    assert!(error.hint().expect("a way out").starts_with("`--select Train..Gate` includes them"));
    for fine in [&["Train", "Eval", "Gate"][..], &["Prep", "Other"], &["Publish", "Reject"]] {
        let result = check_connected(&world.pipeline, &selected(&world, fine), &none);
        assert_eq!(result, Ok(()), "{fine:?}");
    }
}

#[test]
fn without_a_source_a_selection_that_needs_results_is_refused_in_sagemakers_words() {
    let world = first();
    let error =
        check_without_source(&world.pipeline, &selected(&world, &["Train"]), &BTreeMap::new())
            .expect_err("Prep is needed");
    assert_eq!(
        error.to_string(),
        "Invalid SourcePipelineExecutionArn: null. The selected steps [Train] have dependencies on [Prep]"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("`--select +Train`")));
    let root = check_without_source(
        &world.pipeline,
        &selected(&world, &["Prep", "Train"]),
        &BTreeMap::new(),
    );
    assert_eq!(root, Ok(()));
}

#[test]
fn a_failed_source_will_do_as_long_as_what_is_needed_succeeded_in_it() {
    let mut source = World::new(PIPELINE);
    source.advance(&[]);
    source.write("Prep", "p");
    source.write("Other", "o");
    source.fail("Train");
    assert_eq!(source.execution.status, ExecutionStatus::Failed);
    let earlier = source.as_earlier();
    let check = |names: &[&str]| {
        let needed = requirements(&source.pipeline, &selected(&source, names), &BTreeMap::new());
        check_source(&source.pipeline, &needed, &earlier)
    };
    assert_eq!(check(&["Train"]), Ok(()));
    let error = check(&["Eval"]).expect_err("Train failed there");
    assert!(error.to_string().ends_with("cannot be the source: `Train` failed there"), "{error}");
    assert!(matches!(error, SelectionError::Unusable { .. }));
}

#[test]
fn supplied_outputs_stand_in_and_are_recorded_and_never_published_unless_asked() {
    let mut world = World::new(&PIPELINE.replacen("FunctionArn: f", "FunctionArn: prep", 1));
    let outputs = Map::from_iter([("uri".to_owned(), json!("s3://mine/data"))]);
    let given = BTreeMap::from([("Prep".to_owned(), outputs)]);
    let supplied = supply(&world.pipeline, &given, "ada").expect("legal");
    let train = Selector::parse("+Eval").expect("a selector");
    let selected = expand(&world.pipeline, &[train], &[], &supplied, None).expect("legal");
    assert_eq!(check_connected(&world.pipeline, &selected, &supplied), Ok(()));
    assert_eq!(check_without_source(&world.pipeline, &selected, &supplied), Ok(()));
    world.select(&[], None);
    let selection = world.start.selection.as_mut().expect("selected");
    selection.selected = selected;
    selection.supplied = supplied;
    let mut asked = world.clone();

    world.finish(&str::to_owned);
    assert_eq!(world.invoked(), ["Train", "Eval"]);
    assert_eq!(world.invoked[0].2["in"], "s3://mine/data");
    let decision = world.decision("Prep");
    assert_eq!(decision.reason, "supplied by ada: `uri`");
    let Verdict::Reused(reuse) = decision.verdict else { panic!("reused") };
    assert_eq!(reuse.supplied.expect("recorded").sha256.len(), 64);
    assert_eq!(world.cache.len(), 2, "Train and Eval, not Prep");

    asked.start.selection.as_mut().expect("selected").publish_supplied = true;
    let mut unknown = asked.clone();
    asked.finish(&str::to_owned);
    assert_eq!(asked.cache.len(), 3);

    // Without its function the step has no key, and is supplied all the same.
    unknown.start.functions.pop_last().expect("`prep` comes after `f`");
    unknown.finish(&str::to_owned);
    assert_eq!(unknown.execution.status, ExecutionStatus::Succeeded);
    let warning = unknown.decision("Prep").warning;
    let expected = "not published to the cache: function `prep` is not known";
    assert_eq!(warning.as_deref(), Some(expected));
}

#[test]
fn what_cannot_be_supplied_is_refused_with_what_can() {
    let world = first();
    let give = |step: &str, output: &str, value| {
        let outputs = Map::from_iter([(output.to_owned(), value)]);
        let given = BTreeMap::from([(step.to_owned(), outputs)]);
        supply(&world.pipeline, &given, "ada").map_err(|error| error.to_string())
    };
    let error = give("Pre", "uri", json!("x")).expect_err("no such step");
    assert!(error.contains("there is no such step (steps: Prep, Train"), "{error}");
    let error = give("Prep", "url", json!("x")).expect_err("no such output");
    assert!(error.contains("has no output `url` to supply (outputs: uri, rows)"), "{error}");
    let error = give("Prep", "rows", json!("many")).expect_err("no integer");
    assert!(error.contains("output `rows` of step `Prep`: \"many\""), "{error}");
    let supplied = give("Prep", "rows", json!("5")).expect("legal");
    let selected = selected(&world, &["Train"]);
    let error = check_without_source(&world.pipeline, &selected, &supplied)
        .expect_err("uri is read too")
        .to_string();
    assert!(error.starts_with("outputs [Prep.uri] are read and not supplied"), "{error}");
    let both = expand(
        &world.pipeline,
        &[Selector::parse("Prep").expect("a selector")],
        &[],
        &supplied,
        None,
    );
    assert!(matches!(both, Err(SelectionError::SuppliedAndSelected { .. })));
}

#[test]
fn what_is_not_supplied_comes_from_the_source() {
    let first = first();
    let mut second = first.again(PIPELINE, "sha256:other");
    second.select(&["Train"], Some(&first));
    let outputs = Map::from_iter([("rows".to_owned(), json!(7))]);
    let given = BTreeMap::from([("Prep".to_owned(), outputs)]);
    let supplied = supply(&second.pipeline, &given, "ada").expect("legal");
    second.start.selection.as_mut().expect("selected").supplied = supplied;
    second.finish(&str::to_owned);
    let source = &first.start.execution_id;
    let reason = format!("supplied by ada: `rows`; the rest from execution {source}");
    assert_eq!(second.decided("Prep").1, reason);
    assert!(second.invoked[0].2["in"].as_str().is_some_and(|uri| uri.starts_with("s3://")));
}
