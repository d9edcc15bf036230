//! The native definitions of the corpus, executed on the embedded cloud with small functions.
//!
//! The tests hold what is decided, why, and the outputs.

mod branches;
mod selection;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sidestep_core::execution::commit::Outputs;
use sidestep_core::name::{ExecutionId, StepName};
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::view::description::ExecutionDescription;
use sidestep_engine::error::{EngineError, error_chain};
use sidestep_engine::start::StartRequest;
use sidestep_engine::start::selection::SourceRequest;
use sidestep_local::deployment::Planner;

use crate::setup::{self, Setup};

/// A definition of the corpus, with a cloud that has its functions.
struct Corpus {
    definition: Value,
    setup: Setup,
}

impl Corpus {
    async fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus");
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let mut definition: Value = serde_json::from_str(&text).unwrap();
        // SageMaker's default is off: the one change to the files.
        definition["CacheConfig"] = json!({"Enabled": true});
        let mut names = BTreeSet::new();
        functions(&definition["Steps"], &mut names);
        let program = env!("CARGO_BIN_EXE_corpus-step");
        let functions = names.iter().map(|name| setup::function(name, program)).collect();
        Self { definition, setup: Setup::new(Planner::InProcess, Handoff::Event, functions).await }
    }

    fn request(&self, parameters: &[(&str, &str)]) -> StartRequest {
        let mut request = setup::request(&self.definition);
        let given =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        request.parameters.extend(given);
        request
    }

    fn selecting(&self, select: &[&str], source: SourceRequest) -> StartRequest {
        let mut request = self.request(&[]);
        request.selection.select = select.iter().map(|text| (*text).to_owned()).collect();
        request.selection.source = source;
        request
    }

    async fn run(&self, parameters: &[(&str, &str)]) -> ExecutionDescription {
        self.setup.run(self.request(parameters)).await
    }

    /// Returns the error of a request that is refused before it starts.
    async fn refusal(&self, request: StartRequest) -> String {
        let error = self.setup.engine.prepare(request).await.unwrap_err();
        assert!(matches!(error, EngineError::Start(_)), "{error}");
        error_chain(&error)
    }

    async fn close(self) {
        self.setup.cloud.shutdown(Duration::ZERO).await;
    }
}

fn functions(steps: &Value, names: &mut BTreeSet<String>) {
    for step in steps.as_array().into_iter().flatten() {
        let arn = step["FunctionArn"].as_str().into_iter();
        names.extend(arn.map(|arn| arn.rsplit(':').next().unwrap().to_owned()));
        functions(&step["Arguments"]["IfSteps"], names);
        functions(&step["Arguments"]["ElseSteps"], names);
    }
}

/// Returns `STEP DECISION STATUS` for each step.
fn decisions(execution: &ExecutionDescription) -> Vec<String> {
    let steps = execution.steps.iter().map(|step| {
        let (decision, status) = (step.decision.unwrap_or("-"), step.step_status.unwrap_or("-"));
        format!("{} {decision} {status}", step.step_name)
    });
    steps.collect()
}

fn reason<'a>(execution: &'a ExecutionDescription, step: &str) -> &'a str {
    let step = execution.steps.iter().find(|found| found.step_name == step).unwrap();
    step.reason.as_deref().unwrap()
}

fn output<'a>(execution: &'a ExecutionDescription, step: &str, name: &str) -> &'a Value {
    let step = execution.steps.iter().find(|found| found.step_name == step).unwrap();
    &step.output_parameters[name]
}

fn id(execution: &ExecutionDescription) -> ExecutionId {
    let id = execution.pipeline_execution_arn.rsplit('/').next().unwrap();
    ExecutionId::parse(id).unwrap()
}

/// Returns the declared outputs of all steps.
fn outputs(execution: &ExecutionDescription) -> Vec<(&str, &Map<String, Value>)> {
    let steps = execution.steps.iter();
    steps.map(|step| (step.step_name.as_str(), &step.output_parameters)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_any_file_invokes_nothing_and_comes_to_the_same() {
    for name in [
        "all-conditions",
        "depends-on-branch",
        "lambda-chain",
        "lambda-diamond",
        "quality-gate",
        "wide-fanout-40",
    ] {
        let corpus = Corpus::open(name).await;
        let first = corpus.run(&[]).await;
        assert_eq!(first.pipeline_execution_status, "Succeeded", "{name}: {first:#?}");
        let invoked = corpus.setup.invocations();
        assert!(invoked > 1, "{name}");
        let again = corpus.run(&[]).await;
        let ended = (again.pipeline_execution_status, corpus.setup.invocations());
        assert_eq!(ended, ("Succeeded", invoked), "{name}: {again:#?}");
        assert_eq!(outputs(&first), outputs(&again), "{name}");
        corpus.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_parameter_runs_what_reads_it_until_the_content_is_the_same() {
    let corpus = Corpus::open("lambda-chain").await;
    let first = corpus.run(&[]).await;
    assert_eq!(
        decisions(&first),
        ["Extract Run Succeeded", "Transform Run Succeeded", "Load Run Succeeded"]
    );
    assert_eq!(output(&first, "Transform", "clean_uri"), "clean rows of orders.csv");
    assert_eq!(output(&first, "Load", "loaded"), 3);

    let moved = corpus.run(&[("SourceUri", "s3://data-lake/archive/orders.csv")]).await;
    assert_eq!(
        decisions(&moved),
        ["Extract Run Succeeded", "Transform CacheHit Succeeded", "Load CacheHit Succeeded"]
    );
    let other = corpus.run(&[("SourceUri", "s3://data-lake/raw/returns.csv")]).await;
    assert_eq!(other.summary.run, 3, "{other:#?}");

    let this = corpus.setup.engine.earlier(&id(&other)).await.unwrap();
    let steps: Vec<_> = this.pipeline.indexes().collect();
    let explained = corpus.setup.engine.explain(&this, &steps, Some(&id(&first))).await.unwrap();
    let differences: Vec<_> = explained.iter().map(|step| step.differences[0].text()).collect();
    assert_eq!(
        differences,
        [
            r#"argument `uri` "s3://data-lake/raw/orders.csv" to "s3://data-lake/raw/returns.csv""#,
            r#"argument `uri` "rows of orders.csv" to "rows of returns.csv""#,
            r#"argument `uri` "clean rows of orders.csv" to "clean rows of returns.csv""#,
        ]
    );
    corpus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn order_alone_does_not_run_a_step_again() {
    let corpus = Corpus::open("lambda-diamond").await;
    let first = corpus.run(&[]).await;
    assert_eq!(
        output(&first, "Dataset", "uri"),
        "features of snapshot of 2026-11-22 and labels of snapshot of 2026-11-22, [22,22]"
    );
    let next_day = corpus.run(&[("Day", "2026-11-23")]).await;
    assert_eq!(
        decisions(&next_day),
        [
            "Snapshot Run Succeeded",
            "Features Run Succeeded",
            "Labels Run Succeeded",
            "Dataset Run Succeeded",
            "Audit CacheHit Succeeded",
        ]
    );
    corpus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_all_types_arrive_as_they_are_and_missing_ones_are_named() {
    let corpus = Corpus::open("parameters-all-types").await;
    let refused =
        corpus.refusal(corpus.request(&[("Tier", "huge"), ("RequiredCount", "2.5")])).await;
    for name in ["`Required`", "`Tier`", "`RequiredCount`"] {
        assert!(refused.contains(name), "{refused}");
    }
    let given = [("Required", "x"), ("RequiredCount", "9007199254740993"), ("DryRun", "TRUE")];
    let first = corpus.run(&given).await;
    assert_eq!(first.pipeline_execution_status, "Succeeded", "{first:#?}");
    let earlier = corpus.setup.engine.earlier(&id(&first)).await.unwrap();
    let result = earlier.result(&StepName::parse("Echo").unwrap()).unwrap();
    let Outputs::Inline(echoed) = result.produced.outputs else { panic!("larger than it is") };
    for (name, value) in [
        ("Name", json!("nightly")),
        ("Tier", json!("small")),
        ("Count", json!(2)),
        ("RequiredCount", json!(9_007_199_254_740_993_u64)),
        ("Zero", json!(0)),
        ("Rate", json!(0.1)),
        ("DryRun", json!(true)),
        ("Verbose", json!(true)),
        ("count_as_string", json!("2")),
        ("as_text", json!("nightly|small|x|2|9007199254740993|0|0.1|true|true")),
    ] {
        assert_eq!(echoed[name], value, "{name}");
    }
    assert_eq!(echoed["run"]["arn"], first.pipeline_execution_arn);
    // Execution variables stand in its arguments, so it is never found again.
    assert_eq!(corpus.run(&given).await.summary.run, 1);
    corpus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_any_file_agrees_with_the_run_that_follows_and_writes_nothing() {
    for (name, change) in [
        ("all-conditions", ("Stage", "alpha")),
        ("depends-on-branch", ("Path", "slow")),
        ("lambda-chain", ("SourceUri", "s3://data-lake/raw/returns.csv")),
        ("lambda-diamond", ("Day", "2026-11-23")),
        ("quality-gate", ("MaxError", "5")),
        ("wide-fanout-40", ("ShardSize", "10")),
    ] {
        let corpus = Corpus::open(name).await;
        for parameters in [&[][..], &[], &[change], &[change]] {
            let engine = &corpus.setup.engine;
            let prepared = engine.prepare(corpus.request(parameters)).await.unwrap();
            let before = (
                corpus.setup.cloud.s3().counts(),
                engine.executions().list(None, 99).await.unwrap(),
            );
            let (forecast, _) = engine.preview(&prepared).await.unwrap();
            let after = (
                corpus.setup.cloud.s3().counts(),
                engine.executions().list(None, 99).await.unwrap(),
            );
            let writes =
                |counts: &std::collections::BTreeMap<String, u64>| counts.get("PutObject").copied();
            assert_eq!((writes(&before.0), before.1), (writes(&after.0), after.1), "{name}");
            let run = corpus.run(parameters).await;
            for (planned, ran) in forecast.steps.iter().zip(&run.steps) {
                let is_told = Some(planned.decision) == ran.decision;
                assert!(
                    is_told || planned.decision == "MayRun",
                    "{name} {parameters:?}: {planned:?} came to {ran:?}"
                );
            }
            assert!(forecast.has_work() || run.summary.run == 0, "{name}: {run:#?}");
        }
        corpus.close().await;
    }
}
