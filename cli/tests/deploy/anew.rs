//! A stack that is deployed, destroyed and deployed again, from wherever the project is.
//!
//! A script stands for cargo-lambda. Like it, it looks for `Cargo.toml` in the working folder only.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sidestep_testkit::emulator::Emulator;

const CARGO_LAMBDA: &str = r#"#!/bin/sh
[ "$2" = --version ] && exit 0
while [ $# -gt 0 ]; do
    case "$1" in
    --manifest-path) manifest=$2; shift ;;
    --package) packages="$packages $2"; shift ;;
    esac
    shift
done
[ -f "${manifest:-Cargo.toml}" ] || { echo "manifest path \`Cargo.toml\` does not exist" >&2; exit 1; }
for package in $packages; do
    mkdir -p "$CARGO_TARGET_DIR/lambda/$package"
    echo "$package" > "$CARGO_TARGET_DIR/lambda/$package/bootstrap"
done
"#;

const SETTINGS: &str = r#"
[functions.step]
package = "step"

[functions.scan]
runtime = "python3.13"
handler = "scan.handler"
path = "scan"

[pipelines.scan]
definition = "scan.json"

[[pipelines.scan.triggers]]
bucket = "inbox"

[deploy]
stack = "anew"
"#;

const DEFINITION: &str = r#"{"Version": "2020-12-01", "Steps": [
    {"Name": "Scan", "Type": "Lambda", "FunctionArn": "scan", "Arguments": {}},
    {"Name": "Step", "Type": "Lambda", "FunctionArn": "step", "Arguments": {}}]}"#;

/// A project below a workspace of cargo, and an account.
pub(super) struct World {
    pub(super) emulator: Emulator,
    pub(super) top: tempfile::TempDir,
    /// The folder of the programs that are found first.
    tools: PathBuf,
}

impl World {
    pub(super) fn open() -> Option<Self> {
        let world = Self::with_tools(None)?;
        let script = world.tools.join("cargo-lambda");
        fs::create_dir_all(&world.tools).expect("created");
        fs::write(&script, CARGO_LAMBDA).expect("written");
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("it is ours");
        Some(world)
    }

    /// Opens a world with the programs of a folder.
    pub(super) fn with_tools(tools: Option<PathBuf>) -> Option<Self> {
        let top = tempfile::tempdir().expect("a folder");
        let state = top.path().join("emulator");
        fs::create_dir_all(&state).expect("created");
        let emulator = Emulator::breakable(&state)?;
        let files = [
            ("workspace/Cargo.toml", "[workspace]\nmembers = [\"step\"]\nresolver = \"2\"\n"),
            (
                "workspace/step/Cargo.toml",
                "[package]\nname = \"step\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
            ),
            ("workspace/step/src/main.rs", "fn main() {}\n"),
            ("workspace/pipelines/scan/sidestep.toml", SETTINGS),
            ("workspace/pipelines/scan/scan.json", DEFINITION),
            ("workspace/pipelines/scan/scan/scan.py", "def handler(event, context): return {}\n"),
        ];
        for (name, text) in files {
            let path = top.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(path, text).expect("written");
        }
        let tools = tools.unwrap_or_else(|| top.path().join("bin"));
        Some(Self { emulator, top, tools })
    }

    pub(super) fn project(&self) -> PathBuf {
        self.top.path().join("workspace/pipelines/scan")
    }

    /// Runs the command in a folder, and returns what it says.
    pub(super) fn runs(&self, folder: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
        command.args(arguments).current_dir(folder).env("PATH", self.path());
        command.env("CARGO_TARGET_DIR", self.target());
        self.succeeds(command)
    }

    /// Returns the search path with the world's own programs first.
    pub(super) fn path(&self) -> OsString {
        let mut path = self.tools.clone().into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        path
    }

    pub(super) fn target(&self) -> PathBuf {
        self.top.path().join("target")
    }

    /// Runs the command, which may see the account only, and returns what it says.
    pub(super) fn succeeds(&self, mut command: Command) -> String {
        command.envs(self.emulator.environment());
        let Output { status, stdout, stderr } = command.output().expect("the command runs");
        let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{command:?}: {said}");
        said.into_owned()
    }

    pub(super) fn says(&self, arguments: &[&str], expected: &[&str]) {
        let said = self.runs(&self.project(), arguments);
        for part in expected {
            assert!(said.contains(part), "{arguments:?} does not say `{part}`: {said}");
        }
    }
}

#[test]
fn a_stack_is_destroyed_and_deployed_again_with_its_data_or_without() {
    let Some(world) = World::open() else { return };
    let deploy = ["deploy", "--yes"];
    let other = ["--project", "workspace/pipelines/scan", "deploy", "--yes"];
    let said = world.runs(world.top.path(), &other);
    assert!(said.contains("4 of 4 packages uploaded"), "{said}");
    assert!(!said.contains("takes in"), "there was nothing: {said}");
    world.says(&deploy, &["0 of 4 packages uploaded", "the stack needs no change"]);
    world.says(&["doctor", "--no-probe"], &["AWS takes everything in the template"]);

    let kept = ["table anew", "s3://anew-artifacts-", "s3://anew-inbox-"];
    world.says(&["destroy", "--yes"], &["this deletes stack `anew`", "and keeps table anew"]);
    world.says(&["destroy", "--yes"], &["there is no stack `anew`", "an earlier stack left stays"]);
    world
        .says(&deploy, &kept.map(|name| format!("takes in {name}")).each_ref().map(String::as_str));

    // Data goes with a stack, and also when only the data is left.
    world.says(&["destroy", "--yes", "--delete-data"], &["deleted table anew"]);
    let said = world.runs(&world.project(), &deploy);
    assert!(!said.contains("takes in"), "{said}");
    world.says(&["destroy", "--yes"], &["and keeps table anew"]);
    world.says(
        &["destroy", "--yes", "--delete-data"],
        &["there is no stack `anew`", "deleted table anew", "deleted s3://anew-artifacts-"],
    );
    let said = world.runs(&world.project(), &["destroy", "--yes", "--delete-data"]);
    assert!(!said.contains("deleted"), "nothing is left: {said}");
}

/// Writes a release: the command, with planner and trigger beside it.
pub(super) fn release(folder: &Path) -> PathBuf {
    let program = folder.join("sidestep");
    fs::hard_link(env!("CARGO_BIN_EXE_sidestep"), &program).expect("on the same disk");
    for name in ["arm64/planner", "arm64/trigger", "x86_64/planner", "x86_64/trigger"] {
        let path = folder.join(format!("lambda/{name}.zip"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        let mut writer = zip::ZipWriter::new(fs::File::create(path).expect("created"));
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file("bootstrap", options).expect("a new zip");
        writer.write_all(name.as_bytes()).expect("written");
        writer.finish().expect("written");
    }
    fs::write(folder.join("lambda/version"), env!("CARGO_PKG_VERSION")).expect("written");
    program
}

#[test]
fn a_release_deploys_python_functions_where_there_is_no_rust() {
    let Some(world) = World::open() else { return };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let program = release(folder.path());
    let project = world.project();
    let without = SETTINGS.replace("[functions.step]\npackage = \"step\"\n", "");
    fs::write(project.join("sidestep.toml"), without).expect("written");
    let definition = DEFINITION.replace("\"FunctionArn\": \"step\"", "\"FunctionArn\": \"scan\"");
    fs::write(project.join("scan.json"), definition).expect("written");
    let deploy = || {
        let mut command = Command::new(&program);
        command.args(["deploy", "--yes"]).current_dir(&project);
        command.env("PATH", folder.path()).env_remove("CARGO");
        world.succeeds(command)
    };
    let said = deploy();
    assert!(said.contains("3 of 3 packages uploaded"), "{said}");
    assert!(!said.contains("cargo"), "{said}");
    assert!(deploy().contains("0 of 3 packages uploaded"), "the same bytes have the same name");
}
