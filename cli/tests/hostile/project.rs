//! Projects of a test's own, and the command in them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// A pipeline that needs no function: it branches, and succeeds.
const PIPELINE: &str = r#"{"Version": "2020-12-01", "Steps": [{"Name": "Check", "Type": "Condition", "Arguments":
    {"Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}], "IfSteps": [], "ElseSteps": []}}]}"#;

/// A pipeline whose one function never asks for its event.
const ENDLESS: &str = r#"{"Version": "2020-12-01", "Steps": [{"Name": "Wait", "Type": "Lambda", "FunctionArn": "endless",
    "Arguments": {}}]}"#;

pub(crate) struct Project {
    pub(crate) folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn new() -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.write("check.json", PIPELINE);
        project.write("sidestep.toml", "[pipelines.check]\ndefinition = \"check.json\"\n");
        project
    }

    /// Adds the pipeline `endless`. Its function is built by cargo, and has no dependencies.
    pub(crate) fn with_endless(self) -> Self {
        self.write("endless.json", ENDLESS);
        self.write(
            "sidestep.toml",
            "[functions.endless]\npackage = \"endless\"\n[pipelines.endless]\ndefinition = \"endless.json\"\n",
        );
        self.write(
            "Cargo.toml",
            "[package]\nname = \"endless\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
        );
        self.write(
            "src/main.rs",
            "fn main() {\n    loop {\n        std::thread::park();\n    }\n}\n",
        );
        self
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join(".sidestep")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
        command.args(arguments).current_dir(self.folder.path());
        command.env_remove("SIDESTEP_STATE_DIR").stdin(Stdio::null());
        // Cargo locks its target folder, and a build elsewhere may hold that for minutes.
        command.env("CARGO_TARGET_DIR", self.folder.path().join("target"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Reads lines until one contains `text`.
pub(crate) fn wait_for(lines: impl std::io::Read, text: &str) {
    let mut read = Vec::new();
    for line in BufReader::new(lines).lines() {
        let line = line.unwrap();
        if line.contains(text) {
            return;
        }
        read.push(line);
    }
    panic!("no line with `{text}` in {read:#?}");
}

pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}
