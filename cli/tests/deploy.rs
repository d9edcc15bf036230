//! A project deployed to an emulator of AWS by the command itself: the same planner, trigger and functions that AWS would run.
//!
//! Not covered, because the emulator cannot: what roles may do, OnSuccess records, `RecursiveLoop`, alarms on metric math.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use sidestep_testkit::emulator::Emulator;

/// How long a run of the example may take on a busy machine.
const RUN: Duration = Duration::from_mins(3);

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The example without its Python step, whose result the emulator never reports.
fn project(folder: &Path) {
    let example = workspace().join("examples/flights");
    let definition = fs::read_to_string(example.join("pipeline.yaml")).expect("the example");
    let report = definition.find("  - Name: Report").expect("its last step");
    fs::write(folder.join("pipeline.yaml"), &definition[..report]).expect("write");
    let settings = fs::read_to_string(example.join("sidestep.toml")).expect("the example");
    let (before, after) = settings.split_once("[functions.report]").expect("the report");
    let (_, after) = after.split_once("[pipelines.flights]").expect("the pipeline");
    let (after, _) = after.split_once("# The embedded S3").expect("the uploads");
    let deploy = "[deploy]\nstack = \"air\"\nalarms = false\n";
    let settings = format!("{before}[pipelines.flights]{after}{deploy}");
    fs::write(folder.join("sidestep.toml"), settings).expect("write");
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

fn upload(world: &World, bucket: &str, key: &str, file: &str) {
    let path = workspace().join("examples/flights/data").join(file);
    world.emulator.put_object(bucket, key, &fs::read(path).expect("the example's data"));
}

#[test]
fn an_upload_runs_the_deployed_example_and_another_stops_where_nothing_is_new() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(emulator) = Emulator::start(folder.path()) else { return };
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
    assert!(err.contains("8 of 8 packages uploaded"), "{err}");
    let bucket = out.split("s3://").nth(2).and_then(|rest| rest.split('/').next());
    let bucket = bucket.expect("the bucket's name is printed");

    let (_, err) = world.succeeds(&deploy);
    assert!(err.contains("0 of 8 packages uploaded"), "{err}");
    assert!(err.contains("the stack needs no change") && err.contains("still version 1"), "{err}");

    let (out, _) = world.succeeds(&["doctor"]);
    assert!(out.contains("function `air-train` runs version 1"), "{out}");

    upload(&world, bucket, "weather/weather.csv.gz", "weather/weather.csv.gz");
    upload(&world, bucket, "flights/2013-01.csv.gz", "flights/2013-01.csv.gz");
    let first = world.ended(1);
    assert_eq!(first.len(), 1, "the weather starts nothing: {first:?}");
    assert_eq!(first[0]["PipelineExecutionStatus"], "Succeeded", "{first:?}");

    // The same content as a new version of the object, which has no digest that S3 would tell: it is read again, yields the same,
    // and the wave stops there.
    upload(&world, bucket, "flights/2013-01.csv.gz", "flights/2013-01.csv.gz");
    let second = world.ended(2);
    assert_eq!(second.len(), 2, "{second:?}");
    let (out, _) = world.succeeds(&["show", "latest", "--target", "aws", "--json"]);
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["PipelineExecutionStatus"], "Succeeded", "{shown}");
    assert_eq!(shown["Summary"]["Run"], 1, "{shown}");
    assert_eq!(shown["Steps"][0]["Decision"], "Run", "{shown}");

    let (out, _) = world.succeeds(&["run", "flights", "--target", "aws", "--json"]);
    let run: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(run["Summary"]["Run"], 0, "{run}");
    let (out, _) = world.succeeds(&["logs", "latest", "--target", "aws"]);
    assert_eq!(out, "", "nothing ran");

    world.succeeds(&["destroy", "--yes", "--delete-data"]);
    let gone = world.sidestep(&["list", "--target", "aws"]);
    assert_eq!(gone.status.code(), Some(2), "{}", String::from_utf8_lossy(&gone.stderr));
}
