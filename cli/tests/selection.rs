//! `run`, `plan` and `explain` with every way to select steps, through the command.
//!
//! The tests hold the texts, the statuses, and that a plan writes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn sidestep(state: &Path, arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.args(arguments).args(["--project", "examples/flights"]);
    command.current_dir(root).env("SIDESTEP_STATE_DIR", state).output().unwrap()
}

fn json(state: &Path, arguments: &[&str], status: i32) -> Value {
    let all: Vec<_> = arguments.iter().copied().chain(["--json"]).collect();
    let output = sidestep(state, &all);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn decisions(document: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let steps = document["Steps"].as_array().unwrap().iter();
    steps.map(|step| (text(&step["StepName"]), text(&step["Decision"]))).collect()
}

fn reason<'a>(document: &'a Value, step: &str) -> &'a str {
    let steps = document["Steps"].as_array().unwrap();
    steps.iter().find(|found| found["StepName"] == step).unwrap()["Reason"].as_str().unwrap()
}

/// Returns the files of a state folder by path and length, without built functions, logs and lock
/// files.
fn stored(state: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![state.join("s3")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if !entry.file_name().to_string_lossy().contains("sqlite") {
                found.insert(entry.path(), entry.metadata().unwrap().len());
            }
        }
    }
    found
}

/// In one test, so that the functions are built once.
#[test]
fn a_plan_says_what_the_run_does_and_a_wrong_selection_says_what_would_work() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let list = || json(&state, &["list"], 0)["PipelineExecutionSummaries"].clone();

    // Before there is any state.
    let plan = json(&state, &["plan", "flights"], 10);
    assert_eq!(decisions(&plan)["Ingest"], "Run");
    assert_eq!(decisions(&plan)["Train"], "MayRun");
    assert!(!state.join("version").exists(), "a plan makes no state");
    let refused = sidestep(&state, &["plan", "flights", "--select", "Train"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("Invalid SourcePipelineExecutionArn: null."), "{said}");
    assert!(said.contains("`--select +Train`"), "{said}");

    let first = json(&state, &["run", "flights"], 0);
    assert_eq!(first["PipelineExecutionStatus"], "Succeeded");
    let (executions, objects) = (list(), stored(&state));
    assert!(!objects.is_empty());

    let plan = json(&state, &["plan", "flights"], 0);
    assert!(!decisions(&plan).values().any(|decision| decision == "MayRun"), "{plan:#}");
    let changed = json(&state, &["plan", "flights", "-p", "Alpha=100"], 10);
    assert!(
        reason(&changed, "Train").starts_with("argument `Alpha` 1.0 to 100.0 since"),
        "{changed:#}"
    );
    for (arguments, expected) in [
        (&["--select", "train"][..], "did you mean `Train`?"),
        (&["--select", "Train,Evaluate"], "invalid selector"),
        (&["--select", "Ingest", "--select", "Train"], "`--select Ingest..Train`"),
        (&["--select", "Train..Ingest"], "`Ingest..Train` is one"),
        (&["--select", "tag:none"], "no step has that tag"),
        (&["--select", "Train", "--source", "aaaaaaaaaaaa"], "it does not exist"),
        (&["--supply", "Train.Modle=x"], "outputs: Model, Rows"),
        (&["--supply", "Train.Rows=many"], "is not of type Integer"),
        (&["--select", "Train", "--supply", "Train.Model=x"], "so it cannot run too"),
        (&["--select", "Evaluate", "--force", "Train"], "select it too with `--select Train`"),
    ] {
        let all: Vec<_> = ["plan", "flights"].iter().chain(arguments).copied().collect();
        let output = sidestep(&state, &all);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    let empty = sidestep(&state, &["plan", "flights", "--select", "result:failed"]);
    assert_eq!(empty.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&empty.stderr).contains("no step is selected"));
    assert_eq!((list(), stored(&state)), (executions, objects), "none of this wrote anything");

    let arguments = ["flights", "--select", "Train+", "--exclude", "Report", "-p", "Alpha=100"];
    let with = |command| std::iter::once(command).chain(arguments).collect::<Vec<_>>();
    let plan = decisions(&json(&state, &with("plan"), 10));
    let run = json(&state, &with("run"), 0);
    for (step, decision) in decisions(&run) {
        assert!(plan[&step] == decision || plan[&step] == "MayRun", "{step}: {plan:?} {run:#}");
    }
    assert_eq!(
        (decisions(&run)["Ingest"].as_str(), decisions(&run)["Report"].as_str()),
        ("Reused", "NotSelected")
    );
    assert!(reason(&run, "Train").starts_with("argument `Alpha` 1.0 to 100.0 since"), "{run:#}");
    let saved = list()[0].clone();
    assert_eq!(saved["SavedMs"], run["Summary"]["SavedMs"]);
    assert!(saved["SavedMs"].as_u64().unwrap() > 0, "{saved:#}");

    // The source's Alpha, and a model by hand beside it.
    let train =
        first["Steps"].as_array().unwrap().iter().find(|s| s["StepName"] == "Train").unwrap();
    let model = format!("Train.Model={}", train["OutputParameters"]["Model"].as_str().unwrap());
    let with_model =
        ["run", "flights", "--select", "Evaluate", "--supply", &model, "--inherit-parameters"];
    let supplied = json(&state, &with_model, 0);
    assert_eq!(supplied["PipelineParameters"]["Alpha"], 100.0);
    assert_eq!(
        decisions(&supplied)["Evaluate"],
        "CacheHit",
        "the content decides, not who supplied it"
    );

    let failed = json(&state, &["run", "flights", "-p", "MaxRmse=1"], 1);
    let reject = failed["Steps"].as_array().unwrap().iter().find(|s| s["StepName"] == "Reject");
    assert_eq!(reject.unwrap()["FailureType"], "Sidestep.FailStep");
    let explained = json(&state, &["explain", "latest", "Gate"], 0);
    assert!(reason(&explained, "Gate").ends_with("<= 1.0 is false"), "{explained:#}");
}
