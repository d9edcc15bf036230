//! Tools of the Python world for tests: a linter, an emulator. Each test that wants one sets it up itself, once, below `target/`.
//!
//! A machine without Python or without a package index runs the other tests and is told aloud what it left out; with `CI` set that is a
//! failure, so that nothing goes unchecked unnoticed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The virtual environment of `name` with `packages`, made when it is not there yet.
///
/// `None`: it cannot be had here, and that was said. Panics instead where `CI` is set.
pub fn environment(target: &Path, name: &str, packages: &[&str]) -> Option<PathBuf> {
    environment_of(Path::new("python3"), target, name, packages)
}

/// The same for a Python of one's own choice.
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

/// Says aloud that something is left out here, and why.
#[expect(clippy::print_stderr, reason = "what is not tested is said aloud")]
pub fn not_tested(name: &str, why: &str) {
    eprintln!("NOT TESTED: {name} cannot be set up: {why}");
}

/// A Python of this minor version of 3 or a newer one: by its name on the path, or among those that pyenv has.
pub fn newer_python(minor: u32) -> Option<PathBuf> {
    let named = (minor..=minor + 4).rev().map(|minor| PathBuf::from(format!("python3.{minor}")));
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let versions = pyenv.and_then(|root| fs::read_dir(root.join("versions")).ok());
    let versions = versions.into_iter().flatten().flatten();
    let known = versions.map(|version| version.path().join("bin").join("python3"));
    let check = format!("import sys; sys.exit(sys.version_info < (3, {minor}))");
    named.chain(known).find(|python| run(Command::new(python).args(["-c", &check])).is_ok())
}

/// The folder below which cargo builds, seen from a test's program.
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

/// A program of the environment.
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
