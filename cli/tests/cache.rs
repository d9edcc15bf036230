//! The cache, through the command: list, rm, gc, and that nothing breaks when something is gone.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::{SdkConfig, signed_config};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::ObjectStore as _;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn command(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.args(arguments).args(["--project", "examples/flights"]);
    command.current_dir(root()).env("SIDESTEP_STATE_DIR", state).stdin(Stdio::null());
    command
}

fn sidestep(state: &Path, arguments: &[&str]) -> Output {
    command(state, arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(state: &Path, arguments: &[&str]) -> String {
    let output = sidestep(state, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn json(state: &Path, arguments: &[&str]) -> Value {
    let arguments: Vec<_> = arguments.iter().chain(&["--json"]).copied().collect();
    let output = sidestep(state, &arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
}

/// Runs the example; returns the number of functions that ran, and the description.
fn run(state: &Path) -> (u64, Value) {
    let execution = json(state, &["run", "flights"]);
    assert_eq!(execution["PipelineExecutionStatus"], "Succeeded", "{execution:#}");
    (execution["Summary"]["Run"].as_u64().unwrap(), execution)
}

fn entries(state: &Path, filter: &[&str]) -> Vec<Value> {
    let list = json(state, &[&["cache", "list"], filter].concat());
    list["CacheEntries"].as_array().unwrap().clone()
}

fn reason<'a>(execution: &'a Value, step: &str) -> &'a str {
    let steps = execution["Steps"].as_array().unwrap();
    steps.iter().find(|found| found["StepName"] == step).unwrap()["Reason"].as_str().unwrap()
}

/// A `sidestep up`, ended with the test.
struct Up {
    child: Child,
    s3: SdkConfig,
}

impl Up {
    fn start(state: &Path) -> Self {
        let mut command = command(state, &["up", "--json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let first: Value = serde_json::from_str(&line).unwrap();
        Self { child, s3: served(&first, "S3") }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Returns a configuration for a service of a running `sidestep up`, from the first line it prints.
pub(crate) fn served(first: &Value, service: &str) -> SdkConfig {
    let part = |name: &str| first["Credentials"][name].as_str().unwrap();
    let config = signed_config("us-east-1", part("AccessKeyId"), part("SecretAccessKey"));
    let endpoint = first["Endpoints"][service].as_str().unwrap();
    config.into_builder().endpoint_url(endpoint).build()
}

fn delete(config: &SdkConfig, uri: &str) {
    let store = S3ObjectStore::new(config);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let uri = S3Uri::parse(uri).unwrap();
    assert!(runtime.block_on(store.head(&uri)).unwrap().is_some(), "{uri} is there");
    runtime.block_on(store.delete(&uri)).unwrap();
}

#[test]
fn what_is_removed_or_collected_runs_again_and_is_cached_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let (all, first) = run(state);
    let made = entries(state, &[]);
    assert_eq!(made.len() as u64, all, "{made:#?}");
    assert!(made.iter().all(|entry| entry["IsWhole"] == true), "{made:#?}");
    assert_eq!(entries(state, &["--step", "Train"]).len(), 1);
    assert_eq!(entries(state, &["--pipeline", "flights"]), made);
    assert_eq!(entries(state, &["--pipeline", "other"]), [Value::Null; 0]);

    // What is cached stays, although the execution that made it is old.
    let kept = json(state, &["cache", "gc", "--older-than", "30d"]);
    assert_eq!(
        (&kept["CacheEntries"], &kept["Objects"]),
        (&Value::Array(vec![]), &Value::Array(vec![]))
    );
    let text_of_list = text(state, &["cache", "list"]);
    let key = entries(state, &["--step", "Train"])[0]["CacheKey"].as_str().unwrap().to_owned();
    assert!(text_of_list.contains(&key[..12]), "{text_of_list}");

    // One entry, by the beginning of its key.
    let removed = text(state, &["cache", "rm", &key[..12]]);
    assert!(removed.contains("Train") && removed.ends_with("1 removed\n"), "{removed}");
    let none = sidestep(state, &["cache", "rm", &key[..12]]);
    assert_eq!(none.status.code(), Some(2), "{}", said(&none));
    let (ran, second) = run(state);
    assert_eq!(ran, 1, "{second:#}");
    assert_eq!(entries(state, &[]).len() as u64, all);

    // A dry run changes nothing.
    let would = json(state, &["cache", "gc", "--older-than", "P0D", "--dry-run"]);
    assert_eq!(would["CacheEntries"].as_array().unwrap().len() as u64, all);
    assert_eq!(run(state).0, 0);
    let went = text(state, &["cache", "gc", "--older-than", "P0D"]);
    assert!(went.contains("removed: ") && went.ends_with("; 0 entries stay\n"), "{went}");
    let again = json(state, &["cache", "gc", "--older-than", "P0D"]);
    assert_eq!(again["Objects"], Value::Array(vec![]), "all of it went at once");

    let (ran, healed) = run(state);
    assert_eq!(ran, all, "{healed:#}");
    assert_eq!(run(state).0, 0);
    let shown = json(state, &["show", first["PipelineExecutionArn"].as_str().unwrap()]);
    assert_eq!(shown["PipelineExecutionStatus"], "Succeeded", "old executions can still be read");

    let pipeline = text(state, &["cache", "rm", "--pipeline", "flights", "--yes"]);
    assert!(pipeline.ends_with(&format!("{all} removed\n")), "{pipeline}");
    assert_eq!(run(state).0, all);
}

#[test]
fn a_hit_whose_artifact_is_gone_runs_again_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let up = Up::start(state);
    let (all, first) = run(state);
    let steps = first["Steps"].as_array().unwrap();
    let train = steps.iter().find(|step| step["StepName"] == "Train").unwrap();
    let model = train["OutputParameters"]["Model"].as_str().unwrap_or_else(|| panic!("{train:#}"));
    delete(&up.s3, model);

    let damaged = entries(state, &["--step", "Train"]);
    assert_eq!(damaged[0]["IsWhole"], false, "{damaged:#?}");
    assert!(text(state, &["cache", "list", "--step", "Train"]).contains("1 gone"));
    let (ran, healed) = run(state);
    assert_eq!(ran, 1, "only what is gone is made again: {healed:#}");
    assert!(reason(&healed, "Train").contains("is gone"), "{healed:#}");
    assert_eq!(run(state).0, 0);

    // Without the run between, the collection removes the entry that can never be hit.
    let steps = healed["Steps"].as_array().unwrap();
    let train = steps.iter().find(|step| step["StepName"] == "Train").unwrap();
    delete(&up.s3, train["OutputParameters"]["Model"].as_str().unwrap());
    let collected = json(state, &["cache", "gc", "--older-than", "30d"]);
    assert_eq!(collected["CacheEntries"].as_array().unwrap().len(), 1, "{collected:#}");
    assert_eq!(collected["CacheEntries"][0]["Reason"], "an artifact is gone");
    assert_eq!(collected["Objects"], Value::Array(vec![]));
    assert_eq!(entries(state, &[]).len() as u64, all - 1);
    assert_eq!(run(state).0, 1);
}
