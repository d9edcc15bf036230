//! Kills `sidestep` at random moments, starts it again, and looks at what comes of it.
//!
//! A seed draws the moments; what happens between them is up to the machine, so a seed does not
//! repeat a round to the byte. What is held in every round: the execution comes to its end, no step
//! that had finished runs again, and the outputs are those of a clean run.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::signed_config;
use sidestep_core::uri::S3Uri;
use tokio::runtime::{Builder, Runtime};

/// Long enough for a busy machine; nothing is asserted on the time itself.
const DEADLINE: Duration = Duration::from_mins(3);
/// Kills of one round, at most.
const KILLS: u64 = 5;

/// What is run and killed.
#[derive(Debug)]
pub(crate) struct Subject {
    /// The command.
    program: PathBuf,
    project: PathBuf,
    pipeline: &'static str,
    upload: Upload,
    target: Option<PathBuf>,
    /// What a clean run gives, by step, and how long its execution took.
    clean: BTreeMap<String, Value>,
    clean_time: Duration,
    /// Removed with this.
    _folder: Option<tempfile::TempDir>,
}

/// An object of the bucket `inbox` whose upload starts the pipeline, however often.
#[derive(Debug)]
struct Upload {
    key: &'static str,
    bytes: Vec<u8>,
}

/// What happens to the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `sidestep run` is killed and started again.
    Run,
    /// `sidestep up` is killed and started again, while uploads come.
    Up,
    /// The processes of the functions are killed, and retried by their policy.
    Functions,
}

/// What a round tried.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tried {
    pub(crate) kills: u64,
    /// Steps that had finished when something was killed, over all kills: they had something to
    /// lose.
    pub(crate) at_stake: u64,
    pub(crate) executions: u64,
}

/// Returns 40 steps side by side, and one that waits for all of them.
fn fan_out() -> Value {
    let retry = json!([{"ExceptionType": ["Sidestep.FunctionError"], "IntervalSeconds": 1,
        "BackoffRate": 1.0, "MaxAttempts": 20}]);
    let step = |name: String, arguments: Value| {
        json!({"Name": name, "Type": "Lambda", "FunctionArn": "step", "Arguments": arguments,
            "RetryPolicies": retry,
            "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
    };
    let mut steps: Vec<_> = (0..40)
        .map(|n| {
            let answer = (n * 7).to_string();
            step(format!("W{n}"), json!({"Sleep": "30", "Answer": answer}))
        })
        .collect();
    let value = |n| json!({"Get": format!("Steps.W{n}.OutputParameters['Value']")});
    let values: Vec<_> = (0..40).map(value).collect();
    steps.push(step("Join".to_owned(), json!({"Of": values, "Answer": "1"})));
    json!({"Version": "2020-12-01", "Steps": steps})
}

const SETTINGS: &str = "
[functions.step]
package = \"step\"
[pipelines.fan]
definition = \"fan.json\"
[[pipelines.fan.triggers]]
bucket = \"inbox\"
prefix = \"in/\"
";

const PACKAGE: &str =
    "[package]\nname = \"step\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";

impl Subject {
    /// Returns a fan-out of 40 small functions.
    pub(crate) fn fan_out(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("sidestep.toml", SETTINGS);
        write("Cargo.toml", PACKAGE);
        write("src/main.rs", include_str!("../recovery/function.rs"));
        write("fan.json", &fan_out().to_string());
        let project = folder.path().to_owned();
        let target = Some(project.join("target"));
        let upload = Upload { key: "in/data", bytes: b"x".to_vec() };
        Self::of(program, project, "fan", upload, target, Some(folder))
    }

    /// Returns the example `flights`.
    pub(crate) fn flights(program: &Path) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let project = root.join("examples/flights");
        let data = project.join("data/flights/2013-01.csv.gz");
        let upload = Upload { key: "flights/2013-01.csv.gz", bytes: fs::read(data).unwrap() };
        Self::of(program, project, "flights", upload, None, None)
    }

    fn of(
        program: &Path,
        project: PathBuf,
        pipeline: &'static str,
        upload: Upload,
        target: Option<PathBuf>,
        folder: Option<tempfile::TempDir>,
    ) -> Self {
        let program = program.to_owned();
        let mut subject = Self {
            program,
            project,
            pipeline,
            upload,
            target,
            clean: BTreeMap::new(),
            clean_time: Duration::ZERO,
            _folder: folder,
        };
        // The first builds the functions.
        for _ in 0..2 {
            let state = tempfile::tempdir().unwrap();
            subject.expect(state.path(), &["run", pipeline]);
            let execution = subject.show(state.path(), "latest");
            let time = execution["Summary"]["DurationMs"].as_u64().unwrap();
            subject.clean_time = Duration::from_millis(time);
            subject.clean = outputs(&execution);
        }
        subject
    }

    fn command(&self, state: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.project).stdin(Stdio::null());
        command.env("SIDESTEP_STATE_DIR", state);
        if let Some(target) = &self.target {
            command.env("CARGO_TARGET_DIR", target);
        }
        command
    }

    /// Starts `sidestep run` and waits until it names its first step, or ends.
    fn run(&self, state: &Path) -> Killed {
        let mut command = self.command(state, &["run", self.pipeline]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while said.read_line(&mut line).unwrap() > 0 {
            if self.clean.keys().any(|step| line.trim_start().starts_with(step)) {
                break;
            }
            line.clear();
        }
        Killed(child, Some(said))
    }

    fn expect(&self, state: &Path, arguments: &[&str]) -> Vec<u8> {
        let output = self.command(state, arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        output.stdout
    }

    fn show(&self, state: &Path, execution: &str) -> Value {
        let shown = self.expect(state, &["show", execution, "--json"]);
        serde_json::from_slice(&shown).unwrap()
    }

    /// Returns all executions: their ids, newest first, and whether they have ended.
    fn list(&self, state: &Path) -> Vec<(String, bool)> {
        let answer = self.expect(state, &["list", "--json"]);
        let list: Value = serde_json::from_slice(&answer).unwrap();
        let lines = list["PipelineExecutionSummaries"].as_array().unwrap().iter();
        let line = |line: &Value| {
            let arn = line["PipelineExecutionArn"].as_str().unwrap();
            let status = line["PipelineExecutionStatus"].as_str().unwrap();
            assert!(["Executing", "Succeeded"].contains(&status), "{line:#}");
            (arn.rsplit('/').next().unwrap().to_owned(), status == "Succeeded")
        };
        lines.map(line).collect()
    }

    /// Runs one round.
    pub(crate) fn round(&self, way: Way, dice: &mut fastrand::Rng) -> Tried {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        let mut tried = Tried::default();
        let mut finished = Finished::default();
        match way {
            Way::Run => self.kill_runs(state, dice, &mut tried, &mut finished),
            Way::Up => self.kill_ups(state, dice, &mut tried, &mut finished),
            Way::Functions => self.kill_functions(state, dice, &mut tried),
        }
        let list = self.list(state);
        tried.executions = list.len() as u64;
        for (id, is_over) in list {
            assert!(is_over, "{id} is not over");
            let execution = self.show(state, &id);
            assert_eq!(outputs(&execution), self.clean, "{id} gave something else");
            finished.assert_unchanged(state, &execution);
        }
        tried
    }

    fn kill_runs(
        &self,
        state: &Path,
        dice: &mut fastrand::Rng,
        tried: &mut Tried,
        finished: &mut Finished,
    ) {
        for _ in 0..dice.u64(1..=KILLS) {
            // Some die early, in the middle of their start.
            if dice.u8(0..4) == 0 {
                let mut run = Killed::quiet(self.command(state, &["run", self.pipeline]));
                run.kill_within(dice, Duration::from_millis(200));
                tried.kills += 1;
                // Or in the middle of their end, where little was left to do: the next would begin
                // anew.
                if self.list(state).iter().any(|(_, is_over)| *is_over) {
                    break;
                }
            }
            let mut run = self.run(state);
            if !run.kill_within(dice, self.clean_time) {
                break;
            }
            tried.kills += 1;
            let list = self.list(state);
            for (id, _) in &list {
                tried.at_stake += finished.note(state, &self.show(state, id));
            }
            // Killed between the end of the execution and its own: the next would begin anew.
            if list.iter().any(|(_, is_over)| *is_over) {
                break;
            }
        }
        let list = self.list(state);
        assert!(list.len() <= 1, "the same command goes on with the same execution: {list:?}");
        if !list.first().is_some_and(|(_, is_over)| *is_over) {
            self.expect(state, &["run", self.pipeline]);
        }
        assert_eq!(self.list(state).len(), 1);
    }

    fn kill_ups(
        &self,
        state: &Path,
        dice: &mut fastrand::Rng,
        tried: &mut Tried,
        finished: &mut Finished,
    ) {
        let (mut accepted, mut sent) = (0, 0);
        for _ in 0..dice.u64(1..=KILLS) {
            let mut up = Up::start(self.command(state, &["up", "--json"]));
            // Some come together, some while others run.
            for _ in 0..dice.u64(0..=2) {
                sent += 1;
                accepted += u64::from(up.put(&self.upload));
            }
            up.process.kill_within(dice, self.clean_time);
            tried.kills += 1;
            for (id, _) in self.list(state) {
                tried.at_stake += finished.note(state, &self.show(state, &id));
            }
        }
        let mut up = Up::start(self.command(state, &["up", "--json"]));
        sent += 1;
        assert!(up.put(&self.upload), "an upload to a cloud that serves");
        accepted += 1;
        let begun = Instant::now();
        loop {
            let list = self.list(state);
            let is_over = list.iter().all(|(_, is_over)| *is_over);
            if is_over && list.len() as u64 >= accepted {
                assert!(list.len() as u64 <= sent, "{list:?} of {sent} uploads");
                break;
            }
            assert!(begun.elapsed() < DEADLINE, "{accepted} uploads were accepted: {list:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        up.process.0.kill().unwrap();
        up.process.0.wait().unwrap();
    }

    fn kill_functions(&self, state: &Path, dice: &mut fastrand::Rng, tried: &mut Tried) {
        let mut run = self.run(state);
        for _ in 0..dice.u64(1..=4 * KILLS) {
            std::thread::sleep(Duration::from_millis(dice.u64(5..150)));
            let children = functions_of(run.0.id());
            if children.is_empty() {
                continue;
            }
            let child = children[dice.usize(..children.len())].to_string();
            // Gone meanwhile is as good.
            let kill =
                Command::new("kill").args(["-s", "KILL", &child]).stderr(Stdio::null()).status();
            tried.kills += u64::from(kill.unwrap().success());
        }
        assert_eq!(run.0.wait().unwrap().code(), Some(0), "what was killed is tried again");
    }
}

/// Returns the processes of functions below a `sidestep`: not its watchdog, which is a shell.
fn functions_of(parent: u32) -> Vec<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let mut found: Vec<u32> = Vec::new();
    // Every thread has children of its own.
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let paths = tasks.map(|task| task.path().join("children").display().to_string());
    for path in paths.chain([path]) {
        let text = fs::read_to_string(path).unwrap_or_default();
        found.extend(text.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
    }
    found.sort_unstable();
    found.dedup();
    let name = |id: &u32| fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    found.retain(|id| name(id).trim() != "sh");
    found
}

/// A process that is killed, at the latest with this.
struct Killed(Child, Option<BufReader<ChildStderr>>);

impl Killed {
    fn quiet(mut command: Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), None)
    }

    /// Kills it at some moment of the time that it would need, and a little more. `false`: it had
    /// ended well before.
    fn kill_within(&mut self, dice: &mut fastrand::Rng, time: Duration) -> bool {
        let most = u64::try_from(time.as_micros()).unwrap() * 5 / 4;
        std::thread::sleep(Duration::from_micros(dice.u64(0..most)));
        // On Unix this is SIGKILL: no code of it runs after that.
        self.0.kill().unwrap();
        match self.0.wait().unwrap().code() {
            None => true,
            Some(status) => {
                let mut said = String::new();
                if let Some(rest) = &mut self.1 {
                    rest.read_to_string(&mut said).unwrap();
                }
                assert_eq!(status, 0, "it ended before it was killed: {said}");
                false
            }
        }
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A `sidestep up`, with where its S3 answers.
struct Up {
    process: Killed,
    s3: S3ObjectStore,
    runtime: Runtime,
}

impl Up {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let first: Value = serde_json::from_str(&line).unwrap();
        let key = |part: &str| first["Credentials"][part].as_str().unwrap();
        let config = signed_config("us-east-1", key("AccessKeyId"), key("SecretAccessKey"));
        let endpoint = first["Endpoints"]["S3"].as_str().unwrap();
        let s3 = S3ObjectStore::new(&config.into_builder().endpoint_url(endpoint).build());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { process: Killed(child, None), s3, runtime }
    }

    /// Uploads the object once more; whether S3 has confirmed it.
    fn put(&mut self, Upload { key, bytes }: &Upload) -> bool {
        let uri = S3Uri::new("inbox", (*key).to_owned());
        self.runtime.block_on(self.s3.replace(&uri, bytes.clone().into())).is_ok()
    }
}

/// Returns the outputs of each step, without the URIs that differ from execution to execution.
fn outputs(execution: &Value) -> BTreeMap<String, Value> {
    let steps = execution["Steps"].as_array().unwrap().iter();
    let step = |step: &Value| {
        let mut outputs = step["OutputParameters"].clone();
        for value in outputs.as_object_mut().into_iter().flat_map(|o| o.values_mut()) {
            let text = value.as_str().unwrap_or_default();
            if text.starts_with("s3://sidestep-artifacts/runs/") {
                // `s3://BUCKET/runs/PIPELINE/EXECUTION/STEP/ATTEMPT/...`
                let mut parts: Vec<_> = text.split('/').collect();
                (parts[5], parts[7]) = ("EXECUTION", "ATTEMPT");
                *value = Value::from(parts.join("/"));
            }
        }
        let name = step["StepName"].as_str().unwrap().to_owned();
        (
            name,
            json!({"Status": step["StepStatus"], "Outcome": step["Outcome"], "Outputs": outputs}),
        )
    };
    steps.map(step).collect()
}

/// Steps that had finished at some kill.
#[derive(Debug, Default)]
struct Finished {
    /// By execution and step: the step's description, and how often it had been invoked.
    steps: BTreeMap<(String, String), (Value, usize)>,
}

impl Finished {
    /// Notes what has finished, and returns how much that is.
    fn note(&mut self, state: &Path, execution: &Value) -> u64 {
        let mut count = 0;
        for step in execution["Steps"].as_array().unwrap() {
            if step["StepStatus"] != "Succeeded" {
                continue;
            }
            count += 1;
            let key = key(execution, step);
            let begun = invocations(state, &key);
            self.steps.entry(key).or_insert_with(|| (result(step), begun));
        }
        count
    }

    fn assert_unchanged(&self, state: &Path, execution: &Value) {
        for step in execution["Steps"].as_array().unwrap() {
            let key = key(execution, step);
            let Some((before, begun)) = self.steps.get(&key) else { continue };
            assert_eq!(result(step), *before, "{key:?} had finished");
            assert_eq!(invocations(state, &key), *begun, "{key:?} had finished and was invoked");
        }
    }
}

/// Returns a step without its reason, which compares with the execution before it, and that may be
/// another one by now.
fn result(step: &Value) -> Value {
    let mut step = step.clone();
    step["Reason"].take();
    step
}

fn key(execution: &Value, step: &Value) -> (String, String) {
    let arn = execution["PipelineExecutionArn"].as_str().unwrap();
    let id = arn.rsplit('/').next().unwrap();
    (id.to_owned(), step["StepName"].as_str().unwrap().to_owned())
}

/// Returns how often a step's function was handed an event, by its logs.
fn invocations(state: &Path, (execution, step): &(String, String)) -> usize {
    let log = fs::read_to_string(state.join("logs").join(format!("{execution}.log")));
    let attempts = format!("\t{step}/");
    log.unwrap_or_default()
        .lines()
        .filter(|line| line.contains(&attempts) && line.contains("START RequestId"))
        .count()
}
