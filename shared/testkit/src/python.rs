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
    match make(target, name, packages) {
        Ok(folder) => Some(folder),
        Err(why) => {
            assert!(std::env::var_os("CI").is_none(), "{name} cannot be set up: {why}");
            #[expect(clippy::print_stderr, reason = "what is not tested is said aloud")]
            {
                eprintln!("NOT TESTED: {name} cannot be set up: {why}");
            }
            None
        }
    }
}

/// The folder below which cargo builds, seen from a test's program.
pub fn target_folder() -> PathBuf {
    let program = std::env::current_exe().expect("a program has a path");
    let profile = program.ancestors().find(|folder| folder.join(".fingerprint").is_dir());
    let target = profile.and_then(Path::parent).expect("cargo builds tests below target/PROFILE");
    target.to_owned()
}

fn make(target: &Path, name: &str, packages: &[&str]) -> Result<PathBuf, String> {
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
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder.join("venv")))?;
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
