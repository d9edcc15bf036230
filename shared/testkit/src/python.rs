//! Tools written in Python for tests, such as a linter or an emulator. A test that wants one
//! installs it once below `target/`.
//!
//! A machine without Python or without a package index runs the other tests, and the test prints
//! what it leaves out. With `CI` set, that is a failure, so that nothing stays unchecked unnoticed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Returns the virtual environment `name` with `packages`, and makes it if needed.
///
/// Returns `None` if it cannot be made here, after saying so. Panics instead if `CI` is set.
pub fn environment(target: &Path, name: &str, packages: &[&str]) -> Option<PathBuf> {
    environment_of(Path::new("python3"), target, name, packages)
}

/// Returns a virtual environment like [`environment`], for a given Python.
pub fn environment_of(
    python: &Path,
    target: &Path,
    name: &str,
    packages: &[&str],
) -> Option<PathBuf> {
    match make(python, target, name, packages) {
        Ok(folder) => Some(folder),
        Err(why) => {
            assert!(std::env::var_os("CI").is_none(), "{name} cannot be set up: {why}");
            not_tested(name, &why);
            None
        }
    }
}

/// Prints that something is left out here, and why.
#[expect(clippy::print_stderr, reason = "what is not tested is said aloud")]
pub fn not_tested(name: &str, why: &str) {
    eprintln!("NOT TESTED: {name} cannot be set up: {why}");
}

/// Returns a Python of this minor version of 3 or a newer one, from the path or from pyenv.
pub fn newer_python(minor: u32) -> Option<PathBuf> {
    let named = (minor..=minor + 4).rev().map(|minor| PathBuf::from(format!("python3.{minor}")));
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let folder = pyenv.and_then(|root| fs::read_dir(root.join("versions")).ok());
    let versions = folder.into_iter().flatten().flatten();
    let known = versions.map(|version| version.path().join("bin").join("python3"));
    let check = format!("import sys; sys.exit(sys.version_info < (3, {minor}))");
    named.chain(known).find(|python| run(Command::new(python).args(["-c", &check])).is_ok())
}

/// Returns the folder below which cargo builds, seen from a test's program.
pub fn target_folder() -> PathBuf {
    let program = std::env::current_exe().expect("a program has a path");
    let profile = program.ancestors().find(|folder| folder.join(".fingerprint").is_dir());
    let target = profile.and_then(Path::parent).expect("cargo builds tests below target/PROFILE");
    target.to_owned()
}

fn make(python: &Path, target: &Path, name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = target.join("python").join(name);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    // Tests run in several processes.
    let lock = File::create(folder.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let ready = folder.join("ready");
    let wanted = packages.join("\n");
    if fs::read_to_string(&ready).is_ok_and(|found| found == wanted) {
        return Ok(folder);
    }
    run(Command::new(python).args(["-m", "venv", "--clear"]).arg(folder.join("venv")))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(program(&folder, "python")).args(pip).args(packages))?;
    fs::write(&ready, wanted).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// Returns the path of a program of the environment.
pub fn program(environment: &Path, name: &str) -> PathBuf {
    environment.join("venv").join("bin").join(name)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
