//! Users' code on disk: what is part of it, what it is installed with, and what is refused.

mod kinds;
mod refused;
mod runtimes;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sidestep_testkit::python::target_folder;

/// A project of some functions, each with one step of the pipeline `p`.
struct Project {
    folder: tempfile::TempDir,
    /// Variables of the command.
    variables: Vec<(String, String)>,
}

impl Project {
    /// Makes a project of functions, each by its name and its settings.
    fn new(functions: &[(&str, &str)], files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Self { folder, variables: Vec::new() };
        let mut settings = String::new();
        let mut steps = Vec::new();
        for (name, lines) in functions {
            settings.extend(["[functions.", name, "]\n", lines, "\n"]);
            steps.push(json!({"Name": name, "Type": "Lambda", "FunctionArn": name,
                "Arguments": {"x": 1}, "CacheConfig": {"Enabled": true},
                "OutputParameters": [{"OutputName": "v", "OutputType": "String"}]}));
        }
        settings += "[pipelines.p]\ndefinition = \"pipeline.json\"\n";
        project.write("sidestep.toml", &settings);
        let definition = json!({"Version": "2020-12-01", "Steps": steps});
        project.write("pipeline.json", definition.to_string());
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a program.
    fn program(&self, name: &str, text: &str) {
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Sets a variable of the commands that follow.
    fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Calls the command. What it installs is shared by all tests, and by later calls of them.
    fn sidestep(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("SIDESTEP_CACHE_DIR", target_folder().join("python").join("cache"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.output().unwrap()
    }

    /// Runs the pipeline; fails the test if the run was refused.
    fn run(&self) -> Value {
        let output = self.sidestep(&["run", "p", "--json"]);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn step<'a>(execution: &'a Value, name: &str) -> &'a Value {
    let mut steps = execution["Steps"].as_array().unwrap().iter();
    steps.find(|step| step["StepName"] == name).unwrap()
}

/// Returns a step's decision and the value of its output.
fn outcome<'a>(execution: &'a Value, name: &str) -> (&'a str, &'a str) {
    let step = step(execution, name);
    let value = step["OutputParameters"]["v"].as_str();
    (step["Decision"].as_str().unwrap(), value.unwrap_or("nothing"))
}

/// Returns `PATH` with a folder in front.
fn path_with(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}
