//! The example, through the command, as a newcomer runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sidestep(state: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.args(arguments).current_dir(root()).env("SIDESTEP_STATE_DIR", state);
    command.output().unwrap()
}

fn run(state: &Path, arguments: &[&str]) -> Value {
    let mut all = vec!["run", "flights", "--project", "examples/flights", "--json"];
    all.extend(arguments);
    let output = sidestep(state, &all);
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn decision<'a>(execution: &'a Value, step: &str) -> &'a str {
    let steps = execution["Steps"].as_array().unwrap();
    let step = steps.iter().find(|found| found["StepName"] == step).unwrap();
    step["Decision"].as_str().unwrap()
}

#[test]
fn only_what_a_change_touches_runs_again() {
    let state = tempfile::tempdir().unwrap();
    let first = run(state.path(), &[]);
    assert_eq!(first["PipelineExecutionStatus"], "Succeeded", "{first:#}");
    let metrics =
        first["Steps"].as_array().unwrap().iter().find(|s| s["StepName"] == "Evaluate").unwrap();
    let metric = |name: &str| metrics["OutputParameters"][name].as_f64().unwrap();
    assert!(metric("Rmse") < metric("BaselineRmse") / 1.5, "{metrics:#}");
    let has_report = decision(&first, "Report") == "Run";
    if !has_report {
        eprintln!("note: Python is missing, so the report was left out");
        assert!(std::env::var_os("CI").is_none(), "CI has Python");
    }

    let second = run(state.path(), &["--cost"]);
    assert_eq!(second["Summary"]["Run"], 0, "{second:#}");
    let cost = &second["Cost"];
    assert_eq!(cost["Requests"]["Lambda"].get("Invoke"), None, "{cost:#}");
    assert_eq!(cost["UsdPerMillion"].get("Run"), None, "{cost:#}");
    assert!(cost["UsdPerMillion"]["CacheHit"].as_f64().unwrap() > 0.0, "{cost:#}");
    for step in second["Steps"].as_array().unwrap() {
        let is_lambda =
            step["StepType"] == "Lambda" && (has_report || step["StepName"] != "Report");
        assert!(!is_lambda || step["Decision"] == "CacheHit", "{step:#}");
    }

    let month = run(state.path(), &["-p", "Month=2013-02", "--cost"]);
    assert_eq!((decision(&month, "Weather"), decision(&month, "Ingest")), ("CacheHit", "Run"));
    let cost = &month["Cost"];
    assert_eq!(cost["Requests"]["Lambda"]["Invoke"], month["Summary"]["Run"], "{cost:#}");
    let usd = |kind: &str| cost["UsdPerMillion"][kind].as_f64().unwrap();
    // An object written is the price of eight writes of the table.
    assert!(usd("Run") > 5.0 && usd("CacheHit") < usd("Run") / 5.0, "{cost:#}");

    let rejected = run(state.path(), &["-p", "MaxRmse=1"]);
    assert_eq!(
        (rejected["PipelineExecutionStatus"].as_str(), &rejected["Summary"]["Run"]),
        (Some("Failed"), &Value::from(0))
    );
    assert!(
        rejected["FailureReason"].as_str().unwrap().contains("more than the 1.0 that are allowed")
    );

    let listed = sidestep(state.path(), &["list", "--json", "--project", "examples/flights"]);
    let list: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(list["PipelineExecutionSummaries"].as_array().unwrap().len(), 4);
    let shown =
        sidestep(state.path(), &["show", "latest", "--json", "--project", "examples/flights"]);
    let latest: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(latest["PipelineExecutionArn"], rejected["PipelineExecutionArn"]);
    let first_id = first["PipelineExecutionArn"].as_str().unwrap();
    let logs =
        sidestep(state.path(), &["logs", first_id, "Ingest", "--project", "examples/flights"]);
    assert!(String::from_utf8_lossy(&logs.stdout).contains("REPORT RequestId"), "{logs:?}");
}

#[test]
fn wrong_input_is_refused_with_status_2_before_anything_is_written() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("state");
    let flights = |arguments: &[&str]| {
        let mut all = vec!["run", "flights", "--project", "examples/flights"];
        all.extend(arguments);
        sidestep(&folder, &all)
    };
    let cases = [
        (flights(&["-p", "Mont=2013-02"]), "did you mean `Month`?"),
        (flights(&["-p", "MaxRmse=low"]), "expected type Float"),
        (sidestep(&folder, &["run", "nope", "--project", "examples/flights"]), ": flights"),
        (sidestep(&folder, &["run", "flights", "--project", "no/such/folder"]), "sidestep.toml"),
        (sidestep(&folder, &["show", "xyz", "--project", "examples/flights"]), "12 lower-case"),
    ];
    for (output, expected) in cases {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn validate_reports_every_corpus_file_as_legal_and_every_invalid_one_as_not() {
    let state = tempfile::tempdir().unwrap();
    let check = |folder: &str, expected: i32| {
        let mut count = 0;
        for entry in
            std::fs::read_dir(root().join("tests/fixtures").join(folder)).unwrap().flatten()
        {
            let path = entry.path();
            let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            if !["json", "yaml"].contains(&ending.as_str()) {
                continue;
            }
            let output = sidestep(state.path(), &["validate", path.to_str().unwrap()]);
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(expected), "{}: {said}", path.display());
            count += 1;
        }
        count
    };
    assert_eq!(check("corpus", 0), 14);
    assert!(check("invalid", 2) >= 40);
}
