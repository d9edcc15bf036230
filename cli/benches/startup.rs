//! Measures the command from outside: `cargo bench -p sidestep-cli`.
//!
//! On `examples/flights`: a repeat in which nothing runs, and the time until a step is
//! invoked. On 200 steps, 20 deep and 10 wide: a repeat, and a change of one step.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a benchmark")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const ROUNDS: usize = 7;

/// A project whose state lies in a folder of its own.
struct Project {
    folder: PathBuf,
    pipeline: &'static str,
    state: PathBuf,
}

impl Project {
    /// Runs the whole command, and returns its time and what it printed.
    fn run(&self, arguments: &[&str]) -> (Duration, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
        command.args(["run", self.pipeline, "--json", "--project"]).arg(&self.folder);
        command.args(arguments).env("SIDESTEP_STATE_DIR", &self.state).stdin(Stdio::null());
        let began = Instant::now();
        let output = command.output().unwrap();
        let took = began.elapsed();
        let parsed = serde_json::from_slice(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        (took, parsed.unwrap_or_else(|error| panic!("{error}: {said}")))
    }

    /// Runs the command as [`Project::run`] does, and checks how many steps have run.
    fn timed(&self, arguments: &[&str], running: u64) -> Duration {
        let (took, execution) = self.run(arguments);
        assert_eq!(execution["PipelineExecutionStatus"], "Succeeded");
        assert_eq!(execution["Summary"]["Run"], running);
        took
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns when the step was claimed and its function invoked, in milliseconds since 1970.
fn claimed_ms(execution: &Value, step: &str) -> f64 {
    let steps = execution["Steps"].as_array().unwrap();
    let step = steps.iter().find(|found| found["StepName"] == step).unwrap();
    let text = step["StartTime"].as_str().unwrap();
    let time = OffsetDateTime::parse(text, &Rfc3339).unwrap();
    (time - OffsetDateTime::UNIX_EPOCH).as_seconds_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn median_ms(times: &[Duration]) -> f64 {
    median(times.iter().map(|time| time.as_secs_f64() * 1e3).collect())
}

fn print(name: &str, metric: &str, value: f64) {
    println!(
        "{}",
        json!({"name": name, "n": ROUNDS, "metric": metric, "value": value, "unit": "ms"})
    );
}

fn flights(state: &Path) {
    let folder = root().join("examples/flights");
    let project = Project { folder, pipeline: "flights", state: state.to_owned() };
    project.run(&[]);
    let (mut repeats, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        repeats.push(project.timed(&[], 0));
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let (_, execution) = project.run(&["--force", "Ingest"]);
        starts.push(claimed_ms(&execution, "Ingest") - began.as_secs_f64() * 1e3);
    }
    print("flights repeat", "whole command in which nothing runs, median", median_ms(&repeats));
    print("flights start", "from command to first invocation, median", median(starts));
}

/// Returns 200 steps of the no-op function.
///
/// Each reads the step before it and the neighbour of that step. `Note` is an argument of one in
/// the middle that its result does not depend on.
fn grid() -> Value {
    let (depth, width) = (20, 10);
    let name = |layer: usize, column: usize| format!("S{layer}-{}", column % width);
    let of = |name: String| json!({"Get": format!("Steps.{name}.OutputParameters['Value']")});
    let step = |n: usize| {
        let (layer, column) = (n / width, n % width);
        let mut arguments = if layer == 0 {
            json!({"Value": column})
        } else {
            let beside = of(name(layer - 1, column + 1));
            json!({"Value": of(name(layer - 1, column)), "Beside": beside})
        };
        // Equal steps share a result, so each says which it is.
        arguments["Step"] = json!(n);
        if (layer, column) == (depth / 2, width / 2) {
            arguments["Note"] = json!({"Get": "Parameters.Note"});
        }
        json!({"Name": name(layer, column), "Type": "Lambda", "FunctionArn": "noop",
            "Arguments": arguments,
            "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
    };
    json!({"Version": "2020-12-01", "CacheConfig": {"Enabled": true},
        "Parameters": [{"Name": "Note", "Type": "String", "DefaultValue": "first"}],
        "Steps": (0..depth * width).map(step).collect::<Vec<_>>()})
}

/// Creates a project in a folder of the workspace, where cargo knows the function's package.
fn grids(state: &Path, handoff: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("grid-{handoff}"));
    fs::create_dir_all(&folder).unwrap();
    let settings = format!(
        "[engine]\nhandoff = \"{handoff}\"\n[functions.noop]\npackage = \"noop-function\"\n[pipelines.grid]\ndefinition = \"grid.json\"\n"
    );
    fs::write(folder.join("sidestep.toml"), settings).unwrap();
    fs::write(folder.join("grid.json"), grid().to_string()).unwrap();
    let project = Project { folder, pipeline: "grid", state: state.to_owned() };
    project.timed(&[], 200);
    let (mut repeats, mut changes) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        repeats.push(project.timed(&[], 0));
        changes.push(project.timed(&["-p", &format!("Note={round}")], 1));
        // The last execution is of the first value again.
        project.timed(&[], 0);
    }
    let metric = |what: &str| format!("whole command, {what}, {handoff}, median");
    print("200 steps", &metric("nothing runs"), median_ms(&repeats));
    print("200 steps", &metric("one runs, to the same result"), median_ms(&changes));
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    flights(&folder.path().join("flights"));
    for handoff in ["event", "direct"] {
        grids(&folder.path().join(handoff), handoff);
    }
}
