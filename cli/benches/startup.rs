//! `cargo bench -p sidestep-cli`: the command from outside, on `examples/flights`: a repeat in which nothing runs, and the time until a step is invoked.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a benchmark")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const ROUNDS: usize = 7;

fn run(state: &Path, arguments: &[&str]) -> Value {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.args(["run", "flights", "--project", "examples/flights", "--json"]).args(arguments);
    command.current_dir(root).env("SIDESTEP_STATE_DIR", state).stdin(Stdio::null());
    serde_json::from_slice(&command.stderr(Stdio::null()).output().unwrap().stdout).unwrap()
}

/// When the step was claimed, which is when its function is invoked, in milliseconds since 1970.
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

fn print(name: &str, metric: &str, value: f64) {
    println!(
        "{}",
        json!({"name": name, "n": ROUNDS, "metric": metric, "value": value, "unit": "ms"})
    );
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    run(state, &[]);
    let (mut repeats, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        assert_eq!(run(state, &[])["Summary"]["Run"], 0);
        repeats.push(began.elapsed());
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let execution = run(state, &["--force", "Ingest"]);
        starts.push(claimed_ms(&execution, "Ingest") - began.as_secs_f64() * 1e3);
    }
    let whole = repeats.iter().map(Duration::as_secs_f64).map(|seconds| seconds * 1e3);
    print("repeat", "whole command in which nothing runs, median", median(whole.collect()));
    print("start", "from command to first invocation, median", median(starts));
}
