//! A project that the command deploys to an emulator of AWS.
//!
//! The planner, the trigger and the functions are those that AWS would run.
//!
//! boto3 plays the listener to its events, and SageMaker's clients.
//!
//! Not covered, because the emulator cannot: what roles may do, OnSuccess records, `RecursiveLoop`,
//! alarms on metric math.

mod anew;
mod cargo_lambda;
mod collected;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidestep_testkit::emulator::{Emulator, REGION};
use sidestep_testkit::python::{environment, program, target_folder};

const PACKAGES: [&str; 1] = ["boto3==1.44.5"];
/// How long a run of the example may take on a busy machine.
const RUN: Duration = Duration::from_mins(3);

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Writes the example without its Python step, whose result the emulator never reports.
fn project(folder: &Path) {
    let example = workspace().join("examples/flights");
    let definition = fs::read_to_string(example.join("pipeline.yaml")).expect("the example");
    let report = definition.find("  - Name: Report").expect("its last step");
    fs::write(folder.join("pipeline.yaml"), &definition[..report]).expect("write");
    let settings = fs::read_to_string(example.join("sidestep.toml")).expect("the example");
    let (before, after) = settings.split_once("[functions.report]").expect("the report");
    let (_, after) = after.split_once("[pipelines.flights]").expect("the pipeline");
    let (after, _) = after.split_once("# The embedded S3").expect("the uploads");
    let deploy = "[deploy]\nstack = \"air\"\nevents = true\n";
    let approve = "[pipelines.approve]\ndefinition = \"approve.json\"\n";
    let prepare = workspace().join("examples/sklearn/prepare");
    let wine = format!(
        "[functions.prepare]\nruntime = \"python3.13\"\nhandler = \"prepare.handler\"\npath = \"{}\"\n\
         [pipelines.wine]\ndefinition = \"wine.json\"\n",
        prepare.display()
    );
    fs::write(folder.join("wine.json"), WINE).expect("write");
    let settings = format!("{before}[pipelines.flights]{after}{approve}{wine}{deploy}");
    fs::write(folder.join("sidestep.toml"), settings).expect("write");
    fs::write(folder.join("approve.json"), APPROVE).expect("write");
}

/// A pipeline that asks a person, then runs a function.
const APPROVE: &str = r#"{"Version": "2020-12-01", "Steps": [
    {"Name": "Ask", "Type": "Callback", "Arguments": {"Question": "now?"},
        "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/000000000000/questions"},
    {"Name": "Weather", "Type": "Lambda", "FunctionArn": "weather", "DependsOn": ["Ask"],
        "Arguments": {"Weather": "s3://inbox/weather/weather.csv.gz"}}]}"#;

/// A step in Python with the package `sidestep_step`, which writes its own manifest.
const WINE: &str = r#"{"Version": "2020-12-01", "Steps": [{"Name": "Prepare", "Type": "Lambda", "FunctionArn": "prepare",
    "Arguments": {"Wines": "s3://inbox/wine.csv"},
    "OutputParameters": [{"OutputName": "Rows", "OutputType": "Integer"}, {"OutputName": "Test", "OutputType": "String"}]}]}"#;

/// A running `sidestep serve`.
struct Serve {
    endpoint: String,
    child: Child,
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

struct World {
    emulator: Emulator,
    project: tempfile::TempDir,
}

impl World {
    fn sidestep(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
        command.arg("--project").arg(self.project.path()).args(arguments);
        command.envs(self.emulator.environment());
        command.output().expect("the command runs")
    }

    /// Runs a part of `account.py`, and returns what it prints.
    fn boto3(&self, python: &Path, arguments: &[&str]) -> String {
        let script = workspace().join("cli/tests/deploy/account.py");
        let mut command = Command::new(program(python, "python"));
        command.arg(script).args(arguments).envs(self.emulator.environment());
        command.env("AWS_DEFAULT_REGION", REGION).env("AWS_CONFIG_FILE", "/dev/null");
        let output = command.output().expect("the script runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Serves SageMaker's API over the stack, until the returned value is dropped.
    fn serve(&self) -> Serve {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
        command.arg("--project").arg(self.project.path());
        command.args(["serve", "--target", "aws", "--json"]).envs(self.emulator.environment());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the command runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("text");
        let first: Value = serde_json::from_str(&line).expect("JSON");
        let endpoint = first["Endpoints"]["SageMaker"].as_str().expect("its own endpoint");
        Serve { endpoint: endpoint.to_owned(), child }
    }

    fn succeeds(&self, arguments: &[&str]) -> (String, String) {
        let output = self.sidestep(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {out}{err}");
        (out, err)
    }

    fn executions(&self) -> Vec<Value> {
        let (out, _) = self.succeeds(&["list", "--target", "aws", "--json"]);
        let list: Value = serde_json::from_str(&out).expect("JSON");
        list["PipelineExecutionSummaries"].as_array().expect("a list").clone()
    }

    /// Waits until `count` executions are over, and returns them, newest first.
    fn ended(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + RUN;
        loop {
            let executions = self.executions();
            let is_over = |one: &&Value| one["PipelineExecutionStatus"] != "Executing";
            if executions.iter().filter(is_over).count() >= count {
                return executions;
            }
            assert!(Instant::now() < deadline, "{executions:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl World {
    fn queue(&self, name: &str) -> String {
        format!("{}/000000000000/{name}", self.emulator.endpoint())
    }

    /// Returns the token of the next question.
    fn token(&self) -> String {
        let deadline = Instant::now() + RUN;
        loop {
            let request = json!({"QueueUrl": self.queue("questions"), "WaitTimeSeconds": 1});
            let received = self.emulator.sqs("ReceiveMessage", &request);
            let message = &received["Messages"][0];
            if let Some(body) = message["Body"].as_str() {
                let handle = &message["ReceiptHandle"];
                let request = json!({"QueueUrl": self.queue("questions"), "ReceiptHandle": handle});
                self.emulator.sqs("DeleteMessage", &request);
                let body: Value = serde_json::from_str(body).expect("JSON");
                return body["token"].as_str().expect("a token").to_owned();
            }
            assert!(Instant::now() < deadline, "no question is asked");
        }
    }

    /// Waits until an execution has a status.
    fn becomes(&self, id: &str, status: &str) {
        let deadline = Instant::now() + RUN;
        loop {
            let (out, _) = self.succeeds(&["show", id, "--target", "aws", "--json"]);
            let shown: Value = serde_json::from_str(&out).expect("JSON");
            if shown["PipelineExecutionStatus"] == status {
                return;
            }
            assert!(Instant::now() < deadline, "{shown:#}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn upload(world: &World, bucket: &str, key: &str, file: &str) {
    let path = workspace().join("examples/flights/data").join(file);
    world.emulator.put_object(bucket, key, &fs::read(path).expect("the example's data"));
}

#[test]
fn an_upload_runs_the_deployed_example_and_another_stops_where_nothing_is_new() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(emulator) = Emulator::start(folder.path()) else { return };
    let Some(python) = environment(&target_folder(), "boto3", &PACKAGES) else { return };
    // Below the workspace, where cargo finds the example's packages.
    let place = workspace().join("target/tmp");
    fs::create_dir_all(&place).expect("target/ can be written");
    let project_folder =
        tempfile::Builder::new().prefix("air-").tempdir_in(place).expect("a folder");
    project(project_folder.path());
    let world = World { emulator, project: project_folder };

    let architecture = if cfg!(target_arch = "x86_64") { "x86_64" } else { "arm64" };
    let deploy = ["deploy", "--yes", "--architecture", architecture];
    let (out, err) = world.succeeds(&deploy);
    assert!(err.contains("9 of 9 packages uploaded"), "{err}");
    let named = out.split("s3://").nth(2).expect("the bucket's name is printed");
    let bucket = named.split('/').next().expect("a split has a first part");

    let (_, err) = world.succeeds(&deploy);
    assert!(err.contains("0 of 9 packages uploaded"), "{err}");
    assert!(err.contains("the stack needs no change") && err.contains("still version 1"), "{err}");

    let (out, _) = world.succeeds(&["doctor"]);
    assert!(out.contains("function `air-train` runs version 1"), "{out}");
    for found in [
        "reached the trigger after",
        "reached the planner after",
        "every resource is as in the template",
        "functions may run at once",
        "0 messages are in `air-upload-dead-letters`",
    ] {
        assert!(out.contains(found), "{found}: {out}");
    }
    assert!(world.executions().is_empty(), "a probe starts nothing");

    world.boto3(&python, &["listen"]);
    upload(&world, bucket, "weather/weather.csv.gz", "weather/weather.csv.gz");
    upload(&world, bucket, "flights/2013-01.csv.gz", "flights/2013-01.csv.gz");
    let first = world.ended(1);
    assert_eq!(first.len(), 1, "the weather starts nothing: {first:?}");
    assert_eq!(first[0]["PipelineExecutionStatus"], "Succeeded", "{first:?}");

    // The same content as a new version of the object, which has no digest that S3 would tell. The
    // steps that take anything of the upload run again (`Ingest` and `Publish`). `Ingest` yields
    // the same, and its wave stops there.
    upload(&world, bucket, "flights/2013-01.csv.gz", "flights/2013-01.csv.gz");
    let second = world.ended(2);
    assert_eq!(second.len(), 2, "{second:?}");
    let (out, _) = world.succeeds(&["show", "latest", "--target", "aws", "--json"]);
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["PipelineExecutionStatus"], "Succeeded", "{shown}");
    assert_eq!(shown["Summary"]["Run"], 2, "{shown}");
    assert_eq!(shown["Steps"][0]["Decision"], "Run", "{shown}");
    assert_eq!(shown["Steps"][2]["Decision"], "CacheHit", "{shown}");

    // No upload counts for an execution that the user starts, so `Publish` runs once more.
    let by_hand = || -> Value {
        let (out, _) = world.succeeds(&["run", "flights", "--target", "aws", "--json"]);
        serde_json::from_str(&out).expect("JSON")
    };
    assert_eq!(by_hand()["Summary"]["Run"], 1);
    let run = by_hand();
    assert_eq!(run["Summary"]["Run"], 0, "{run}");
    let (out, _) = world.succeeds(&["logs", "latest", "--target", "aws"]);
    assert_eq!(out, "", "nothing ran");

    let (out, _) = world.succeeds(&["plan", "flights", "--target", "aws", "--json"]);
    let plan: Value = serde_json::from_str(&out).expect("JSON");
    assert!(plan["Steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{plan}");
    let changed = world.sidestep(&["plan", "flights", "--target", "aws", "-p", "Alpha=100"]);
    assert_eq!(changed.status.code(), Some(10), "{changed:?}");
    let (out, _) = world.succeeds(&["explain", "latest", "--target", "aws", "--json"]);
    let explained: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(explained["Steps"][0]["StepName"], "Ingest", "{explained}");

    dead_letters(&world, bucket);
    python_step(&world, bucket);
    stop_and_retry(&world);
    let serve = world.serve();
    let driven = world.boto3(&python, &["drive", &serve.endpoint, bucket]);
    drop(serve);

    // Started by the trigger, by the command, and through the API.
    let arn =
        |execution: &Value| execution["PipelineExecutionArn"].as_str().expect("an ARN").to_owned();
    let told = world.boto3(&python, &["told", &arn(&first[0]), &arn(&run), &driven]);
    assert_eq!(told, r#"["Enough", "Weather"]"#, "the steps whose success was told");

    world.succeeds(&["destroy", "--yes", "--delete-data"]);
    let gone = world.sidestep(&["list", "--target", "aws"]);
    assert_eq!(gone.status.code(), Some(2), "{}", String::from_utf8_lossy(&gone.stderr));
}

/// Checks that dead letters are listed, and sent again.
fn dead_letters(world: &World, bucket: &str) {
    let before = world.executions().len();
    let event = json!({"detail-type": "Object Created", "detail": {"bucket": {"name": bucket},
        "object": {"key": "flights/2013-01.csv.gz", "size": 1, "etag": "e", "version-id": "from-dead-letters"}}});
    let queue = world.queue("air-upload-dead-letters");
    let request = json!({"QueueUrl": queue, "MessageBody": event.to_string()});
    world.emulator.sqs("SendMessage", &request);

    let ill = world.sidestep(&["doctor", "--no-probe"]);
    let said = String::from_utf8_lossy(&ill.stdout);
    assert_eq!(ill.status.code(), Some(1), "{said}");
    assert!(said.contains("1 messages are in `air-upload-dead-letters`"), "{said}");

    let (out, _) = world.succeeds(&["redrive", "--target", "aws"]);
    assert!(out.contains("1 messages moved from air-upload-dead-letters to air-uploads"), "{out}");
    let executions = world.ended(before + 1);
    assert_eq!(executions.len(), before + 1, "{executions:?}");
    assert_eq!(executions[0]["PipelineExecutionStatus"], "Succeeded", "{executions:?}");
    let (out, _) = world.succeeds(&["redrive", "--target", "aws"]);
    assert!(out.contains("0 messages moved from air-upload-dead-letters"), "{out}");
}

/// Stops an execution that waits for an answer, and resumes it.
fn stop_and_retry(world: &World) {
    world.emulator.sqs("CreateQueue", &json!({"QueueName": "questions"}));
    let (out, _) = world.succeeds(&["run", "approve", "--detach", "--target", "aws"]);
    let id = out.trim();
    let first = world.token();
    let (out, _) = world.succeeds(&["stop", id, "--target", "aws", "--json"]);
    let stopped: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(stopped["PipelineExecutionStatus"], "Stopping", "{stopped}");
    // The message that tells of the stop has the same token.
    assert_eq!(world.token(), first);
    world.succeeds(&["callback", "success", &first, "--target", "aws"]);
    world.becomes(id, "Stopped");

    // What was answered stays answered; the function runs.
    world.succeeds(&["retry", id, "--detach", "--target", "aws"]);
    world.becomes(id, "Succeeded");

    let (out, _) = world.succeeds(&["repair", id, "--target", "aws", "--json"]);
    let repaired: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(repaired["PipelineExecutionStatus"], "Succeeded", "{repaired}");
    assert_eq!(repaired["DroppedCommits"], 0, "{repaired}");
}

/// Runs a deployed step in Python: it finds the package in its zip, writes artifacts and reports by
/// its manifest.
fn python_step(world: &World, bucket: &str) {
    let wines = fs::read(workspace().join("examples/sklearn/data/wine.csv")).expect("the example");
    world.emulator.put_object(bucket, "wine.csv", &wines);
    let (out, _) = world.succeeds(&["run", "wine", "--target", "aws", "--json"]);
    let run: Value = serde_json::from_str(&out).expect("JSON");
    let outputs = &run["Steps"][0]["OutputParameters"];
    assert_eq!(outputs["Rows"], 178, "{run:#}");
    assert!(
        outputs["Test"].as_str().is_some_and(|uri| uri.ends_with("/Prepare/1/test.csv")),
        "{run:#}"
    );
}
