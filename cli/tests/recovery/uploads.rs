//! Uploads to a running `sidestep up`: edits that come between them, and those that start nothing.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use sidestep_aws::object::S3ObjectStore;
use sidestep_core::uri::S3Uri;

use super::project::{DEADLINE, Project, lambda, status, step};
use crate::cache::served;

/// Settings whose function answers `answer` unless its arguments say otherwise.
fn settings(answer: u32) -> String {
    format!(
        "[functions.step]\npackage = \"step\"\nenvironment = {{ ANSWER = '{{\"Value\":{answer}}}' }}\n\
         [pipelines.test]\ndefinition = \"test.json\"\n\
         [[pipelines.test.triggers]]\nbucket = \"inbox\"\nparameters = {{ N = \"$.name\" }}\n"
    )
}

/// Returns a definition whose parameter `N` has this type and whose step `A` waits for a file.
fn definition(parameter_type: &str, until: &str) -> Value {
    let outputs = json!({"OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]});
    let mut b = outputs.clone();
    b["DependsOn"] = json!(["A"]);
    let n = json!({"Get": "Parameters.N"});
    json!({"Version": "2020-12-01", "Parameters": [{"Name": "N", "Type": parameter_type}],
        "Steps": [lambda("A", &json!({"Until": until, "N": n}), &outputs), lambda("B", &json!({"N": n}), &b)]})
}

fn project(parameter_type: &str) -> Project {
    let project = Project::new(&json!([]));
    project.write("sidestep.toml", &settings(1));
    project.write("go", "");
    project.define(&definition(parameter_type, &project.path("go")));
    project
}

/// A `sidestep up` in another terminal.
struct Up {
    child: Child,
    lines: BufReader<ChildStderr>,
    s3: S3ObjectStore,
}

impl Up {
    fn start(project: &Project, options: &[&str]) -> Self {
        let mut command = project.command(&[&["up", "--json"], options].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let endpoints: Value = serde_json::from_str(&line).unwrap();
        Self { child, lines, s3: S3ObjectStore::new(&served(&endpoints, "S3")) }
    }

    fn put(&self, key: &str) {
        let uri = S3Uri::new("inbox", key);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(self.s3.replace(&uri, "x".into())).unwrap();
    }

    /// Reads what it says until a line contains `text`, and returns the line.
    fn wait_for(&mut self, text: &str) -> String {
        let (start, mut all) = (Instant::now(), String::new());
        loop {
            let mut line = String::new();
            assert!(
                self.lines.read_line(&mut line).unwrap() > 0,
                "it ended without `{text}`: {all}"
            );
            if line.contains(text) {
                return line;
            }
            all.push_str(&line);
            assert!(start.elapsed() < DEADLINE, "waited too long for `{text}`: {all}");
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn id_of(execution: &Value) -> String {
    let arn = execution["PipelineExecutionArn"].as_str().unwrap_or_default();
    arn.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Waits for the end of the execution that the upload of `key` started.
fn ended(project: &Project, key: &str) -> Value {
    let is_so = |execution: &Value| {
        let is_over = ["Succeeded", "Failed"].contains(&status(execution));
        is_over && execution["Trigger"].as_str().is_some_and(|text| text.ends_with(key))
    };
    project.until(&format!("the execution of `{key}` ends"), is_so)
}

fn value(execution: &Value, name: &str) -> Value {
    step(execution, name)["OutputParameters"]["Value"].clone()
}

#[test]
fn an_upload_that_starts_nothing_is_a_failed_execution_that_can_be_sent_again() {
    let project = project("Integer");
    let mut up = Up::start(&project, &[]);
    up.put("seven");
    let refused = ended(&project, "seven");
    assert_eq!(status(&refused), "Failed");
    let reason = refused["FailureReason"].as_str().unwrap();
    assert!(reason.starts_with("Nothing was started: invalid value `seven`"), "{reason}");
    let id = id_of(&refused);
    let said = up.wait_for("started nothing");
    assert!(
        said.contains("upload of s3://inbox/seven") && said.contains(reason_of(reason)),
        "{said}"
    );
    for command in [&["list"][..], &["doctor", "--no-probe"]] {
        let output = project.sidestep(command);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.contains(&format!("sidestep retry {id}")), "{command:?}: {said}");
    }
    // Nothing ran, so it is no success to go on with, and no source of results.
    let said = project.expect(2, &["run", "test", "-p", "N=1", "--select", "B", "--source", &id]);
    assert!(said.contains("cannot be the source"), "{said}");

    project.define(&definition("String", &project.path("go")));
    project.expect(0, &["retry", &id]);
    let again = project.show();
    assert_eq!((status(&again), &again["PipelineParameters"]["N"]), ("Succeeded", &json!("seven")));
    assert_ne!(id_of(&again), id);
    assert!(again["Trigger"].as_str().unwrap().starts_with(&format!("retry of {id}")), "{again:#}");
}

fn reason_of(reason: &str) -> &str {
    reason.strip_prefix("Nothing was started: ").unwrap()
}

#[test]
fn an_edit_while_up_runs_counts_from_the_next_upload_on() {
    let project = project("String");
    let wait = project.path("wait");
    project.define(&definition("String", &wait));
    let mut up = Up::start(&project, &[]);
    up.put("one");
    let is_running = |it: &Value| it["Steps"][0]["StepStatus"] == "Executing";
    project.until("the step runs", is_running);

    // Function and definition change at once, and the upload comes right behind.
    project.write("sidestep.toml", &settings(2));
    project.define(&definition("String", &project.path("go")));
    up.put("two");
    let two = ended(&project, "two");
    assert_eq!((value(&two, "A"), value(&two, "B")), (json!(2), json!(2)), "{two:#}");
    let said = up.wait_for("the next execution uses");
    assert!(said.contains("function `step`") && said.contains("pipeline `test`"), "{said}");
    // The execution that had begun keeps its code and its definition.
    let listed: Value = serde_json::from_str(&project.expect(0, &["list", "--json"])).unwrap();
    let first = id_of(&listed["PipelineExecutionSummaries"][1]);
    project.write("wait", "");
    let one = loop {
        let text = project.expect(0, &["show", &first, "--json"]);
        let one: Value = serde_json::from_str(&text).unwrap();
        if status(&one) != "Executing" {
            break one;
        }
    };
    assert_eq!((value(&one, "A"), value(&one, "B")), (json!(1), json!(1)), "{one:#}");

    // What cannot be used is refused, and not run as it was.
    project.write("test.json", "{");
    up.put("three");
    let three = ended(&project, "three");
    let reason = three["FailureReason"].as_str().unwrap();
    assert_eq!(status(&three), "Failed");
    assert!(reason.contains("cannot use the project as it is now"), "{reason}");
    up.wait_for("cannot use the project as it is now");
    let listed = project.expect(0, &["list"]);
    assert!(listed.matches("cannot use the project as it is now").count() >= 2, "{listed}");
    project.define(&definition("String", &project.path("go")));
    up.put("four");
    assert_eq!(status(&ended(&project, "four")), "Succeeded");
}

#[test]
fn with_no_watch_up_keeps_what_it_began_with_and_says_so() {
    let project = project("String");
    let mut up = Up::start(&project, &["--no-watch"]);
    project.write("sidestep.toml", &settings(2));
    up.put("one");
    assert_eq!(value(&ended(&project, "one"), "B"), json!(1));
    let said = up.wait_for("--no-watch");
    assert!(said.contains("function `step`"), "{said}");
}

#[test]
fn a_run_joins_an_up_as_soon_as_it_serves_the_edited_code() {
    let project = project("String");
    let _up = Up::start(&project, &[]);
    project.write("sidestep.toml", &settings(2));
    project.expect(0, &["run", "test", "-p", "N=1"]);
    assert_eq!(value(&project.show(), "B"), json!(2));
}
