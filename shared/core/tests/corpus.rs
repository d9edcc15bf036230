//! Definitions as the SageMaker Python SDK prints them.
//!
//! All of them parse, and mean what they mean there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sidestep_core::definition::{Pipeline, StepIndex};
use sidestep_core::parse::{Format, Parsed, parse, unrunnable};

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(folder)
}

fn corpus(name: &str) -> Parsed {
    read("corpus", name)
}

fn read(folder: &str, name: &str) -> Parsed {
    let bytes = std::fs::read(fixtures(folder).join(name)).expect("a file of the corpus");
    parse(&bytes, Format::Json).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"))
}

/// Returns every step as `NAME <- what it waits for`, in running order; the enclosing condition is
/// in brackets.
fn edges(pipeline: &Pipeline) -> Vec<String> {
    let name = |index: &StepIndex| pipeline.step(*index).name.to_string();
    let lines = pipeline.topological_order.iter().map(|index| {
        let step = pipeline.step(*index);
        let mut names: Vec<_> = step.dependencies.iter().map(name).collect();
        names.extend(step.parent.map(|parent| format!("[{}]", name(&parent.condition))));
        format!("{} <- {}", step.name, names.join(" ")).trim_end().to_owned()
    });
    lines.collect()
}

/// Returns each file of a folder with what it warns of.
fn warnings(folder: &str, count: usize) -> String {
    let mut found = String::new();
    let mut files: Vec<_> = std::fs::read_dir(fixtures(folder))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
        .collect();
    files.sort();
    assert_eq!(files.len(), count);
    for name in files {
        let parsed = read(folder, &name);
        assert_eq!(parsed.pipeline.topological_order.len(), parsed.pipeline.steps.len(), "{name}");
        let _ = writeln!(found, "{name}: {} steps", parsed.pipeline.steps.len());
        for problem in &parsed.warnings {
            let place = (problem.line, problem.column);
            let _ = writeln!(found, "  {place:?} {} {problem}", problem.code.name());
        }
    }
    found
}

#[test]
fn every_file_of_the_corpus_parses_and_what_it_warns_of_is_known() {
    insta::assert_snapshot!(warnings("corpus", 14));
}

#[test]
fn every_file_that_sdk_3_printed_parses_and_what_it_warns_of_is_known() {
    insta::assert_snapshot!(warnings("corpus-v3", 26));
}

#[test]
fn triggers_are_on_edges_and_the_steps_of_a_loop_s_body_are_its_own() {
    let run_conditions = read("corpus-v3", "run-conditions.json").pipeline;
    let triggers: Vec<_> = run_conditions
        .steps
        .iter()
        .flat_map(|step| step.triggers.iter().map(move |(of, trigger)| (step, of, trigger)))
        .map(|(step, of, trigger)| {
            format!("{} {} {}", step.name, run_conditions.step(*of).name, trigger.name())
        })
        .collect();
    assert_eq!(triggers, ["Notify A Failed", "Always B Any"]);
    insta::assert_snapshot!(edges(&read("corpus-v3", "for-each.json").pipeline).join("\n"), @r"
    Fan <-
    Fan2 <- Fan
    Z <- Fan
    ");
}

#[test]
fn the_steps_of_a_loop_s_body_may_read_each_other() {
    let text = r#"{"Version": "2020-12-01", "Steps": [{"Name": "Fan", "Type": "ForEach", "Arguments": {
        "IterableItems": ["a"], "MaxConcurrency": 1, "ForEachBody": [
            {"Name": "Make", "Type": "Processing", "Arguments": {
                "Name": {"Get": "Execution.ProcessingJobName"}}},
            {"Name": "Use", "Type": "Lambda", "FunctionArn": "f", "Arguments": {
                "x": {"Get": "Steps.Make.ProcessingJobName"}, "item": {"Get": "ForEach.CurrentItem"}}}
        ]}}]}"#;
    let pipeline = parse(text.as_bytes(), Format::Json).expect("legal").pipeline;
    assert_eq!(edges(&pipeline), ["Fan <-"]);
}

#[test]
fn a_diamond_joins_where_its_data_does() {
    let edges = edges(&corpus("lambda-diamond.json").pipeline).join("\n");
    insta::assert_snapshot!(edges, @r"
    Snapshot <-
    Features <- Snapshot
    Labels <- Snapshot
    Dataset <- Features Labels
    Audit <- Features Labels
    ");
}

#[test]
fn a_gate_waits_for_its_values_and_its_branches_wait_for_it() {
    let edges = edges(&corpus("quality-gate.json").pipeline).join("\n");
    insta::assert_snapshot!(edges, @r"
    Evaluate <-
    Gate <- Evaluate
    Publish <- Evaluate [Gate]
    Notify <- Publish [Gate]
    Reject <- Evaluate [Gate]
    ");
}

#[test]
fn steps_outside_may_depend_on_steps_of_a_branch() {
    let edges = edges(&corpus("depends-on-branch.json").pipeline).join("\n");
    insta::assert_snapshot!(edges, @r"
    Prepare <-
    Choose <- Prepare
    FastPath <- Prepare [Choose]
    SlowPath <- Prepare [Choose]
    AfterFast <- FastPath
    AfterSlow <- SlowPath
    AfterChoice <- Choose
    Unrelated <-
    ");
}

#[test]
fn edges_of_functions_written_in_python_are_found_in_their_arguments() {
    let edges = edges(&corpus("step-decorator.json").pipeline).join("\n");
    insta::assert_snapshot!(edges, @r"
    load <-
    train <- load
    good-enough <- train
    publish <- train [good-enough]
    too-weak <- [good-enough]
    ");
}

#[test]
fn steps_that_cannot_run_yet_are_listed_with_their_types() {
    let list = |name: &str| {
        let steps = unrunnable(&corpus(name).pipeline);
        steps.iter().map(|(step, kind)| format!("{step} {kind}")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(list("lambda-chain.json"), "");
    assert_eq!(list("callback-approval.json"), "");
    insta::assert_snapshot!(list("abalone.json"), @r"
    AbaloneRegisterModel-RegisterModel RegisterModel
    AbaloneCreateModel-CreateModel Model
    AbaloneTransform Transform
    ");
    insta::assert_snapshot!(list("emr-and-notebook.json"), @r"
    OnRunning EMR
    OnFresh EMR
    ");
}

#[test]
fn yaml_means_the_same_as_json() {
    for name in ["lambda-diamond", "quality-gate"] {
        let json = corpus(&format!("{name}.json")).pipeline;
        let bytes = std::fs::read(fixtures("valid").join(format!("{name}.yaml"))).expect("a twin");
        let yaml = parse(&bytes, Format::Yaml).expect("legal").pipeline;
        assert_eq!(yaml, json, "{name}");
    }
}

#[test]
fn the_published_schema_s_spellings_and_our_extensions_are_read() {
    let bytes = std::fs::read(fixtures("valid").join("aliases.json")).expect("the file");
    let Parsed { pipeline, warnings } = parse(&bytes, Format::Json).expect("legal");
    assert_eq!(warnings, []);
    insta::assert_debug_snapshot!(pipeline);
    insta::assert_snapshot!(edges(&pipeline).join("\n"), @r"
    Plain <-
    Fresh <-
    Choose <-
    Inner <- [Choose]
    Stop <- [Inner]
    Train <- Choose
    Each <- Train
    ");
}
