//! What counts as content, through the command and plain Python functions: an object that changes
//! behind any form of argument makes the step run, and an unchanged one leaves a cache hit.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidestep_aws::object::S3ObjectStore;
use sidestep_core::uri::S3Uri;

use crate::cache::served;

const CODE: &str = "def handler(event, context):\n    return {}\n";

/// Returns arguments by step, all of which lead to `s3://inbox/in/k.csv`.
fn cases() -> Vec<(&'static str, Value)> {
    vec![
        ("Plain", json!({"x": "s3://inbox/in/k.csv"})),
        ("Upper", json!({"x": "S3://inbox/in/k.csv"})),
        ("Hadoop", json!({"x": "s3a://inbox/in/k.csv"})),
        ("Version", json!({"x": "s3://inbox/in/k.csv?versionId=1"})),
        ("Arn", json!({"x": "arn:aws:s3:::inbox/in/k.csv"})),
        ("Host", json!({"x": "https://inbox.s3.eu-west-1.amazonaws.com/in/k.csv"})),
        ("Path", json!({"x": "https://s3.amazonaws.com/inbox/in/k.csv"})),
        ("Json", json!({"x": "{\"uri\": \"s3://inbox/in/k.csv\"}"})),
        ("List", json!({"x": "s3://inbox/other.csv,s3://inbox/in/k.csv"})),
        ("Pair", json!({"bucket": "inbox", "key": "in/k.csv"})),
        ("Object", json!({"deep": [{"at": {"Bucket": "inbox", "Key": "in/k.csv"}}]})),
        ("Event", json!({"s3": {"bucket": {"name": "inbox"}, "object": {"key": "in/k.csv"}}})),
        ("Prefix", json!({"Bucket": "inbox", "Prefix": "in/k"})),
        ("Pattern", json!({"x": "s3://inbox/in/*.csv"})),
        ("Bucket", json!({"bucket": "inbox", "month": "2024-05"})),
        ("Variables", json!({"text": "--bucket inbox --key in/k.csv"})),
    ]
}

fn lambda(name: &str, function: &str, arguments: &Value) -> Value {
    json!({"Name": name, "Type": "Lambda", "FunctionArn": function, "Arguments": arguments})
}

/// Writes a project with the functions `f` and `reader`; the latter declares what it reads.
fn project(folder: &Path, steps: &[Value], parameters: &Value, more: &str) {
    let definition = json!({
        "Version": "2020-12-01", "CacheConfig": {"Enabled": true},
        "Parameters": parameters, "Steps": steps,
    });
    fs::create_dir_all(folder.join("f")).unwrap();
    fs::create_dir_all(folder.join("files/in")).unwrap();
    fs::write(folder.join("f/h.py"), CODE).unwrap();
    fs::write(folder.join("files/in/k.csv"), "one").unwrap();
    fs::write(folder.join("pipeline.json"), definition.to_string()).unwrap();
    let function = "runtime = \"python3.13\"\nhandler = \"h.handler\"\npath = \"f\"\n";
    let settings = format!(
        "[engine]\nrights = \"enforce\"\n[functions.f]\n{function}[functions.reader]\n{function}reads = [\"s3://inbox/in/\"]\n\
         [functions.environment]\n{function}environment = {{ DATA = \"s3://inbox/in/k.csv\" }}\n\
         [pipelines.p]\ndefinition = \"pipeline.json\"\n{more}"
    );
    fs::write(folder.join("sidestep.toml"), settings).unwrap();
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.arg("--project").arg(folder).args(arguments).stdin(Stdio::null());
    command.env("SIDESTEP_STATE_DIR", folder.join("state"));
    command
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn read(folder: &Path, arguments: &[&str]) -> Value {
    let output = command(folder, arguments).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", said(&output)))
}

/// Returns `NAME DECISION` of every step.
fn decisions(execution: &Value) -> Vec<String> {
    assert_eq!(execution["PipelineExecutionStatus"], "Succeeded", "{execution:#}");
    let text = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_owned();
    let steps = execution["Steps"].as_array().unwrap().iter();
    let named = steps.map(|step| text(step, "StepName") + " " + &text(step, "Decision"));
    named.collect()
}

fn all(names: &[&str], decision: &str) -> Vec<String> {
    names.iter().map(|name| format!("{name} {decision}")).collect()
}

#[test]
fn an_object_that_changes_behind_any_form_of_argument_makes_the_step_run() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut steps: Vec<_> =
        cases().iter().map(|(name, arguments)| lambda(name, "f", arguments)).collect();
    let mut declared = lambda("Declared", "f", &json!({"key": "in/k.csv"}));
    declared["Reads"] = json!(["s3://inbox/in/k.csv"]);
    steps.push(declared);
    steps.push(lambda("Function", "reader", &json!({"key": "in/k.csv"})));
    steps.push(lambda("Environment", "environment", &json!({"n": 1})));
    project(folder, &steps, &json!([]), "[[uploads]]\nfrom = \"files\"\nto = \"s3://inbox/\"\n");
    let names: Vec<_> = steps.iter().map(|step| step["Name"].as_str().unwrap()).collect();
    let run = || read(folder, &["run", "p", "--json"]);
    assert_eq!(decisions(&run()), all(&names, "Run"));
    assert_eq!(decisions(&run()), all(&names, "CacheHit"));
    fs::write(folder.join("files/in/k.csv"), "two").unwrap();
    let planned = said(&command(folder, &["plan", "p"]).output().unwrap());
    let changed = run();
    assert_eq!(decisions(&changed), all(&names, "Run"));
    assert_eq!(decisions(&run()), all(&names, "CacheHit"));

    // The place is named, and no public document holds a NUL.
    assert!(planned.contains("content of s3://inbox/in/k.csv"), "{planned}");
    let id = changed["PipelineExecutionArn"].as_str().unwrap();
    for name in names {
        let explained = read(folder, &["explain", id, name, "--json"]).to_string();
        assert!(explained.contains("s3://inbox/"), "{name}: {explained}");
        assert!(!explained.contains("\\u0000"), "{name}: {explained}");
    }
}

#[test]
fn a_step_that_may_read_what_is_not_seen_runs_and_says_how_to_end_that() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut silent = lambda("Silent", "f", &json!({"key": "in/k.csv", "u": "gs://b/k"}));
    silent["Reads"] = json!([]);
    let steps = [
        lambda("Lone", "f", &json!({"source": {"key": "in/k.csv"}})),
        lambda("Web", "f", &json!({"u": "https://example.com/data.csv"})),
        lambda("Words", "f", &json!({"key": "value", "text": "plain words"})),
        silent,
    ];
    project(folder, &steps, &json!([]), "");
    let run = || read(folder, &["run", "p", "--json"]);
    run();
    let second = run();
    let expected = ["Lone Run", "Web Run", "Words CacheHit", "Silent CacheHit"];
    assert_eq!(decisions(&second), expected);
    let reason = second["Steps"][0]["Reason"].as_str().unwrap();
    assert!(reason.contains("`source.key`") && reason.contains("`Reads`"), "{reason}");
    let file = folder.join("pipeline.json");
    let validated = command(folder, &["validate", file.to_str().unwrap()]).output().unwrap();
    let text = said(&validated);
    assert_eq!(validated.status.code(), Some(0), "{text}");
    assert!(text.contains("`source.key`") && text.contains("`u`"), "{text}");
}

#[test]
fn an_upload_of_the_same_key_with_other_content_runs_every_step_that_takes_anything_of_it() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let get = |name: &str| json!({"Get": format!("Parameters.{name}")});
    let joined = json!({"Std:Join": {"Values": ["of ", get("Name")]}});
    let steps = [
        lambda("Bucket", "f", &json!({"bucket": get("Bucket")})),
        lambda("Key", "f", &json!({"key": get("Key")})),
        lambda("Name", "f", &json!({"x": joined})),
        lambda("Other", "f", &json!({"n": 1})),
    ];
    let names = ["Bucket", "Key", "Name", "Other"];
    let parameters: Vec<_> = ["Bucket", "Key", "Name"]
        .iter()
        .map(|name| json!({"Name": name, "Type": "String", "DefaultValue": "none"}))
        .collect();
    let trigger = "[[pipelines.p.triggers]]\nbucket = \"inbox\"\nprefix = \"in/\"\n\
                   parameters = { Bucket = \"$.bucket\", Key = \"$.key\", Name = \"$.name\" }\n";
    project(folder, &steps, &json!(parameters), trigger);
    let mut up = command(folder, &["up", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(up.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let endpoints: Value = serde_json::from_str(&line).unwrap();
    let store = S3ObjectStore::new(&served(&endpoints, "S3"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let uri = S3Uri::new("inbox", "in/k.csv");

    let mut seen = Vec::new();
    for content in ["one", "one", "two"] {
        runtime.block_on(store.replace(&uri, content.into())).unwrap();
        seen.push(newest(folder, seen.len() + 1));
    }
    up.kill().unwrap();
    up.wait().unwrap();
    assert_eq!(decisions(&seen[0]), all(&names, "Run"));
    assert_eq!(decisions(&seen[1]), all(&names, "CacheHit"));
    assert_eq!(decisions(&seen[2]), ["Bucket Run", "Key Run", "Name Run", "Other CacheHit"]);
}

/// Waits until `count` executions have ended, and returns the newest.
fn newest(folder: &Path, count: usize) -> Value {
    let begun = Instant::now();
    loop {
        let list = read(folder, &["list", "--json"]);
        let lines = list["PipelineExecutionSummaries"].as_array().unwrap();
        let has_ended = |line: &&Value| line["PipelineExecutionStatus"] != "Executing";
        if lines.iter().filter(has_ended).count() >= count {
            return read(folder, &["show", "latest", "--json"]);
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "{list:#}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
