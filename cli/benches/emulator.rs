//! Measures deployed executions: `cargo bench -p sidestep-cli --bench emulator`.
//!
//! A chain of 20 no-op steps, its repeat and a fan-out, deployed to an emulator of AWS by the
//! command itself. Its times are mostly the emulator's; what they show is what a step waits for
//! there.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a benchmark")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sidestep_testkit::emulator::Emulator;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const STEPS: u32 = 20;
const ROUNDS: usize = 5;

struct Stack {
    project: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Stack {
    fn sidestep(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
        command.arg("--project").arg(&self.project).args(arguments).stdin(Stdio::null());
        let output = command.envs(self.environment.iter().cloned()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        output.stdout
    }

    /// Returns how long an execution took, by its own times.
    fn run(&self, pipeline: &str, round: usize, running: u32) -> Duration {
        let value = format!("Value={round}");
        let out = self.sidestep(&["run", pipeline, "--target", "aws", "--json", "-p", &value]);
        let execution: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(execution["Summary"]["Run"], running, "{execution:#}");
        let time = |name: &str| {
            OffsetDateTime::parse(execution[name].as_str().unwrap(), &Rfc3339).unwrap()
        };
        (time("EndTime") - time("StartTime")).try_into().unwrap()
    }
}

/// Returns a definition in which each step reads the one before it.
fn chain(is_cached: bool) -> Value {
    let step = |n: u32| {
        let value = match n {
            0 => json!({"Get": "Parameters.Value"}),
            _ => json!({"Get": format!("Steps.S{}.OutputParameters['Value']", n - 1)}),
        };
        json!({"Name": format!("S{n}"), "Type": "Lambda", "FunctionArn": "noop",
            "Arguments": {"Value": value, "Step": n},
            "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
    };
    json!({"Version": "2020-12-01", "CacheConfig": {"Enabled": is_cached},
        "Parameters": [{"Name": "Value", "Type": "Integer", "DefaultValue": 0}],
        "Steps": (0..STEPS).map(step).collect::<Vec<_>>()})
}

/// Returns a definition of the same number of steps, all but one side by side.
fn fan() -> Value {
    let mut chain = chain(false);
    let steps = chain["Steps"].as_array_mut().unwrap();
    for (n, step) in (0..).zip(steps.iter_mut()).skip(2) {
        step["Arguments"] =
            json!({"Value": {"Get": "Steps.S0.OutputParameters['Value']"}, "Step": n});
    }
    chain
}

/// Creates a project in a folder of the workspace, where cargo knows the function's package.
fn project(handoff: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("emulator-{handoff}"));
    fs::create_dir_all(&folder).unwrap();
    let settings = format!(
        "[engine]\nhandoff = \"{handoff}\"\n[deploy]\nstack = \"bench-{handoff}\"\n\
         [functions.noop]\npackage = \"noop-function\"\n\
         [pipelines.plain]\ndefinition = \"plain.json\"\n[pipelines.cached]\ndefinition = \"cached.json\"\n\
         [pipelines.fan]\ndefinition = \"fan.json\"\n"
    );
    fs::write(folder.join("sidestep.toml"), settings).unwrap();
    fs::write(folder.join("plain.json"), chain(false).to_string()).unwrap();
    fs::write(folder.join("fan.json"), fan().to_string()).unwrap();
    fs::write(folder.join("cached.json"), chain(true).to_string()).unwrap();
    folder
}

fn print(metric: &str, mut times: Vec<Duration>, per: u32) {
    times.sort_unstable();
    let value = times[times.len() / 2].as_secs_f64() * 1e3 / f64::from(per);
    println!(
        "{}",
        json!({"name": "emulator", "n": STEPS, "metric": metric, "value": value, "unit": "ms"})
    );
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let Some(emulator) = Emulator::start(folder.path()) else {
        println!("no emulator can be had here");
        return;
    };
    let architecture = if cfg!(target_arch = "x86_64") { "x86_64" } else { "arm64" };
    for handoff in ["event", "direct"] {
        let stack = Stack { project: project(handoff), environment: emulator.environment() };
        stack.sidestep(&["deploy", "--yes", "--architecture", architecture]);
        stack.run("plain", 0, STEPS);
        let rounds = || 1..=ROUNDS;
        let plain = rounds().map(|round| stack.run("plain", round, STEPS)).collect();
        print(&format!("chain, not cached, {handoff}, time per step, median"), plain, STEPS);
        let fan = rounds().map(|round| stack.run("fan", round, STEPS)).collect();
        print(&format!("1 to n - 1, not cached, {handoff}, time per step, median"), fan, STEPS);
        let first = rounds().map(|round| stack.run("cached", round, STEPS)).collect();
        print(&format!("chain, {handoff}, time per step, median"), first, STEPS);
        let again = rounds().map(|round| stack.run("cached", round, 0)).collect();
        print(&format!("chain repeat, {handoff}, whole execution, median"), again, 1);
        stack.sidestep(&["destroy", "--yes", "--delete-data"]);
    }
}
