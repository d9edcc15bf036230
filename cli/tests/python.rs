//! Steps in Python: the package `sidestep_step`, and what a function's `requirements.txt` asks for.
//!
//! All of it needs Python and a package index. Where they cannot be had the tests say so; with `CI`
//! set that fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sidestep_testkit::python::{environment, program, target_folder};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sidestep(project: &Path, state: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.arg("--project").arg(project).args(arguments).stdin(Stdio::null());
    command.env("SIDESTEP_CACHE_DIR", target_folder().join("python").join("cache"));
    command.env("SIDESTEP_STATE_DIR", state).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Returns true if what a function needs cannot be had here, after saying so.
fn is_refused(output: &Output) -> bool {
    let is_refused = said(output).contains("cannot run");
    if is_refused {
        eprintln!("NOT TESTED: {}", said(output));
        assert!(std::env::var_os("CI").is_none(), "CI has Python and a package index");
    }
    is_refused
}

fn execution(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

fn step<'a>(execution: &'a Value, name: &str) -> &'a Value {
    let mut steps = execution["Steps"].as_array().unwrap().iter();
    steps.find(|step| step["StepName"] == name).unwrap()
}

#[test]
fn the_python_packages_own_tests_pass_and_its_types_are_right() {
    let Some(tools) = environment(&target_folder(), "python-step", &["mypy==2.4.1"]) else {
        return;
    };
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program(&tools, "python"));
        command.args(arguments).current_dir(root().join("python/sidestep_step"));
        command.env("PYTHONPATH", "src").env("PYTHONDONTWRITEBYTECODE", "1");
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        said(&output)
    };
    let tested = run(&["-m", "unittest", "discover", "tests"]);
    assert!(!tested.contains("Ran 0 tests") && !tested.contains("skipped"), "{tested}");
    let cache = tools.join("mypy");
    run(&["-m", "mypy", "--strict", "--cache-dir", cache.to_str().unwrap()]);
}

#[test]
fn python_steps_train_with_scikit_learn_and_only_what_a_change_touches_runs_again() {
    let state = tempfile::tempdir().unwrap();
    let project = root().join("examples/sklearn");
    let called = |arguments: &[&str]| {
        let all = [&["run", "wine", "--json"], arguments].concat();
        sidestep(&project, state.path(), &all)
    };
    let run = |arguments: &[&str]| {
        let output = called(arguments);
        (execution(&output), said(&output))
    };
    let output = called(&[]);
    if is_refused(&output) {
        return;
    }
    let (first, spoken) = (execution(&output), said(&output));
    assert_eq!(first["PipelineExecutionStatus"], "Succeeded", "{first:#}{spoken}");
    let metric = |name: &str| step(&first, "Evaluate")["OutputParameters"][name].as_f64().unwrap();
    assert!(metric("Accuracy") > metric("Baseline") + 0.4, "{first:#}");
    assert_eq!(step(&first, "Prepare")["OutputParameters"]["Rows"], 178);

    // The environments are there, and so are the results.
    let (second, spoken) = run(&[]);
    assert_eq!(second["Summary"]["Run"], 0, "{second:#}");
    assert!(!spoken.contains("installing"), "{spoken}");

    let (other, _) = run(&["-p", "Strength=0.001"]);
    let decision = |name| step(&other, name)["Decision"].as_str().unwrap();
    assert_eq!(
        (decision("Prepare"), decision("Train"), decision("Evaluate")),
        ("CacheHit", "Run", "Run"),
        "{other:#}"
    );

    // The same data and code give the same bytes: the wave stops at the model.
    let (again, _) = run(&["--force", "Train"]);
    let decision = |name| step(&again, name)["Decision"].as_str().unwrap();
    assert_eq!((decision("Train"), decision("Evaluate")), ("Run", "CacheHit"), "{again:#}");

    let id = first["PipelineExecutionArn"].as_str().unwrap();
    let logs = said(&sidestep(&project, state.path(), &["logs", id, "Train"]));
    assert!(logs.contains("133 wines"), "{logs}");
}

const DEFINITION: &str = r#"{"Version": "2020-12-01", "Steps": [
    {"Name": "Work", "Type": "Lambda", "FunctionArn": "work", "Arguments": {"Text": "s3://inbox/none.txt"}}]}"#;

/// Creates a project of one Python function.
fn project(code: &str, requirements: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    fs::create_dir(&work).unwrap();
    fs::write(work.join("work.py"), code).unwrap();
    fs::write(work.join("requirements.txt"), requirements).unwrap();
    fs::write(folder.path().join("work.json"), DEFINITION).unwrap();
    fs::create_dir(folder.path().join("files")).unwrap();
    fs::write(folder.path().join("files/some.txt"), "x").unwrap();
    let settings = "[functions.work]\nruntime = \"python3.13\"\nhandler = \"work.handler\"\npath = \"work\"\n\
        [pipelines.work]\ndefinition = \"work.json\"\n[[uploads]]\nfrom = \"files\"\nto = \"s3://inbox/\"\n";
    fs::write(folder.path().join("sidestep.toml"), settings).unwrap();
    folder
}

#[test]
fn a_failure_of_a_python_step_has_the_type_that_the_package_gives_it() {
    let code = "from sidestep_step import step\n\n@step\ndef handler(arguments: dict, ctx):\n    \
        return {'Text': ctx.download(arguments['Text']).text()}\n";
    let package = root().join("python/sidestep_step");
    let folder = project(code, &format!("{}\n", package.display()));
    let output = sidestep(folder.path(), &folder.path().join("state"), &["run", "work", "--json"]);
    if is_refused(&output) {
        return;
    }
    let run = execution(&output);
    assert_eq!(step(&run, "Work")["FailureType"], "Sidestep.InputNotFound", "{run:#}");
    let reason = step(&run, "Work")["FailureReason"].as_str().unwrap();
    assert!(reason.contains("there is no object `s3://inbox/none.txt`"), "{reason}");
}
