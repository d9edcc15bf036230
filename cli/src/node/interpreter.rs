//! Finds the Node.js that runs a function.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::output::error::{CommandError, user};

/// The oldest version on which the runtime client works.
const OLDEST: u32 = 18;

/// A Node.js on this machine.
#[derive(Debug)]
pub(super) struct Interpreter {
    pub(super) program: PathBuf,
    /// `22.3.0`.
    pub(super) version: String,
}

/// Returns the interpreter for `nodejsMAJOR.x`. A note tells if it has another version.
pub(super) fn interpreter(major: u32, function: &str) -> Result<Interpreter, CommandError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join("node"));
    let mut found: Vec<_> = on_path.chain(of_nvm(major)).filter_map(ask).collect();
    // The first one that is right, or the first one that is new enough.
    found.sort_by_key(|found| match major_of(&found.version) {
        Some(version) if version == major => 0,
        Some(OLDEST..) => 1,
        _ => 2,
    });
    let hint = format!("install Node.js {major}");
    let Some(best) = found.into_iter().next() else {
        return Err(user("node is not installed").hint(hint));
    };
    let version = &best.version;
    if major_of(version) < Some(OLDEST) {
        let problem =
            format!("Node.js {version} is too old: expected Node.js {major}, or {OLDEST} at least");
        return Err(user(problem).hint(hint));
    }
    if major_of(version) != Some(major) {
        eprintln!(
            "note: function `{function}` has runtime `nodejs{major}.x`, which is not on this machine: Node.js {version} runs it"
        );
    }
    Ok(best)
}

/// Returns the programs of this version that nvm has installed.
fn of_nvm(major: u32) -> Vec<PathBuf> {
    let home = || Some(Path::new(&env::var_os("HOME")?).join(".nvm"));
    let root = env::var_os("NVM_DIR").map(PathBuf::from).or_else(home);
    let folder = root.and_then(|root| fs::read_dir(root.join("versions").join("node")).ok());
    let versions = folder.into_iter().flatten().flatten();
    let start = format!("v{major}.");
    let of_major = versions.filter(|entry| entry.file_name().to_string_lossy().starts_with(&start));
    of_major.map(|entry| entry.path().join("bin").join("node")).collect()
}

fn ask(program: PathBuf) -> Option<Interpreter> {
    if !program.is_file() {
        return None;
    }
    let mut command = Command::new(&program);
    let output =
        command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?.trim().strip_prefix('v')?.to_owned();
    Some(Interpreter { program, version })
}

fn major_of(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}
