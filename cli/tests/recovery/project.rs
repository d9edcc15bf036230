//! A project of a test's own, with functions that do as their arguments say.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidestep_admission::{Credentials, Service, sign};

/// Long enough for a busy machine; nothing is asserted on the time itself.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

const SETTINGS: &str = "
[functions.step]
package = \"step\"
timeout_seconds = 60
[functions.short]
package = \"step\"
timeout_seconds = 1
[pipelines.test]
definition = \"test.json\"
";

pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// Creates a project whose pipeline `test` has these steps.
    pub(crate) fn new(steps: &Value) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.define(&json!({"Version": "2020-12-01", "Steps": steps}));
        project.write("sidestep.toml", SETTINGS);
        project.write(
            "Cargo.toml",
            "[package]\nname = \"step\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
        );
        project.write("src/main.rs", include_str!("function.rs"));
        project
    }

    pub(crate) fn define(&self, definition: &Value) {
        self.write("test.json", &definition.to_string());
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Returns the path of a file of the project, for arguments.
    pub(crate) fn path(&self, file: &str) -> String {
        self.folder.path().join(file).to_str().unwrap().to_owned()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_remove("SIDESTEP_STATE_DIR");
        command.env("CARGO_TARGET_DIR", self.folder.path().join("target"));
        command
    }

    pub(crate) fn sidestep(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must end with `status`; returns what it said on both channels.
    pub(crate) fn expect(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.sidestep(arguments);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        said
    }

    pub(crate) fn run(&self) -> Running {
        self.run_of("test")
    }

    pub(crate) fn run_of(&self, pipeline: &str) -> Running {
        let mut command = self.command(&["run", pipeline]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Running { child, lines }
    }

    /// Returns the latest execution, or null while there is none.
    pub(crate) fn show(&self) -> Value {
        let output = self.sidestep(&["show", "latest", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Looks at the latest execution until `is_so`.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let execution = self.show();
            if is_so(&execution) {
                return execution;
            }
            assert!(start.elapsed() < DEADLINE, "waited too long until {what}: {execution:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for the next message of a queue, and returns its body.
    pub(crate) fn message(&self, queue: &str) -> Value {
        let text = fs::read_to_string(self.path(".sidestep/endpoints.json")).unwrap();
        let endpoints: Value = serde_json::from_str(&text).unwrap();
        let address = endpoints["SQS"].as_str().unwrap().strip_prefix("http://").unwrap();
        let body = json!({"QueueUrl": queue, "WaitTimeSeconds": 20}).to_string();
        let file = fs::read_to_string(self.path(".sidestep/credentials")).unwrap();
        let credentials = Credentials::parse(&file).unwrap();
        let (url, target) = (format!("http://{address}/"), "AmazonSQS.ReceiveMessage");
        let headers = [("x-amz-target", target)];
        let bytes = body.as_bytes();
        let added = sign(&credentials, Service::Sqs, ("POST", &url), &headers, bytes);
        let lines = added.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat());
        let signed: String = lines.collect();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{signed}\
             X-Amz-Target: {target}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, document) = answer.split_once("\r\n\r\n").unwrap();
        let document: Value = serde_json::from_str(document).unwrap();
        let body = document["Messages"][0]["Body"].as_str();
        serde_json::from_str(body.unwrap_or_else(|| panic!("no message: {answer}"))).unwrap()
    }
}

/// A `sidestep run` in another terminal.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStderr>,
}

impl Running {
    /// Reads what it says until a line contains `text`, and returns the line.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let bytes = self.lines.read_line(&mut line).unwrap();
            assert!(bytes > 0, "it ended without a line with `{text}`: {all}");
            if line.contains(text) {
                return line;
            }
            all.push_str(&line);
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for the end, and returns the exit status; `None` if a signal ended it.
    pub(crate) fn end(mut self) -> Option<i32> {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Of a test that failed; ended ones are gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn lambda(name: &str, arguments: &Value, more: &Value) -> Value {
    let mut step =
        json!({"Name": name, "Type": "Lambda", "FunctionArn": "step", "Arguments": arguments});
    for (key, value) in more.as_object().unwrap() {
        step[key] = value.clone();
    }
    step
}

pub(crate) fn step<'a>(execution: &'a Value, name: &str) -> &'a Value {
    let mut steps = execution["Steps"].as_array().unwrap().iter();
    steps.find(|step| step["StepName"] == name).unwrap()
}

pub(crate) fn status(execution: &Value) -> &str {
    execution["PipelineExecutionStatus"].as_str().unwrap_or_default()
}
