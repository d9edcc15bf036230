//! Finds the Python that runs the functions: the user's if it has Lambda's runtime client, else one
//! in a virtual environment that is created once.
//!
//! Starting an interpreter takes longer than the rest of a repeated run, so the answer is kept
//! together with the facts it depends on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::requirements::Requirements;

/// The version of Lambda's own runtime client for Python, which speaks the Runtime API.
const RUNTIME_CLIENT: &str = "awslambdaric==4.2.2";

/// The version of boto3 for functions with a `requirements.txt`; Lambda's runtime has one, too.
const BOTO3: &str = "boto3==1.44.5";

/// File that is written last into an environment with requirements. An environment without it is
/// created again.
const COMPLETE: &str = "complete";

/// An interpreter that was found, and the facts that must be unchanged for it to be used again.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    program: PathBuf,
    /// `PATH` at the time.
    search_path: String,
    /// File of the runtime client.
    client: PathBuf,
    stamps: Vec<Stamp>,
}

/// Size and last change of a file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    file: PathBuf,
    bytes: u64,
    modified_ns: u128,
}

/// Returns the interpreter, or why there is none.
///
/// Virtual environments are created in `store`: one for all functions without a `requirements.txt`,
/// and one for each different `requirements.txt`.
pub(super) fn interpreter(
    store: &Path,
    requirements: Option<&Requirements>,
) -> Result<PathBuf, String> {
    let name = match requirements {
        Some(requirements) => format!("python-{}", hex::encode(requirements.digest())),
        None => "python".to_owned(),
    };
    let record = store.join(format!("{name}.json"));
    if let Some(known) = recall(&record) {
        return Ok(known);
    }
    let program = match requirements {
        Some(requirements) => own(&store.join(&name), store, requirements)?,
        None => find(store)?,
    };
    if let Some(known) = know(&program) {
        let text = serde_json::to_string(&known).expect("paths and numbers serialize");
        // Without the record the next run asks again.
        let _ = fs::write(&record, text);
    }
    Ok(program)
}

/// Reads the record; returns `None` if anything it depends on has changed.
fn recall(record: &Path) -> Option<PathBuf> {
    let known: Known = serde_json::from_str(&fs::read_to_string(record).ok()?).ok()?;
    let is_same = known.search_path == search_path()
        && known.stamps.iter().all(|kept| stamp(&kept.file).as_ref() == Some(kept));
    is_same.then_some(known.program)
}

/// Asks the interpreter for its own path and that of the client.
fn know(program: &Path) -> Option<Known> {
    let code = "import sys, awslambdaric; print(sys.executable); print(awslambdaric.__file__)";
    let output = Command::new(program).args(["-c", code]).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines().map(PathBuf::from);
    let (executable, client) = (lines.next()?, lines.next()?);
    let stamps = vec![stamp(&executable)?, stamp(&client)?];
    Some(Known { program: program.to_owned(), search_path: search_path(), client, stamps })
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let modified_ns = modified.as_nanos();
    Some(Stamp { file: file.to_owned(), bytes: metadata.len(), modified_ns })
}

fn search_path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

/// Runs a program without output and returns true if it succeeded.
fn quiet(program: &Path, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn has_client(program: &Path) -> bool {
    quiet(program, &["-c", "import awslambdaric"])
}

/// Returns the interpreter of an environment with the required packages, which is created if need
/// be.
fn own(environment: &Path, store: &Path, requirements: &Requirements) -> Result<PathBuf, String> {
    let _lock = lock_of(store)?;
    let python = environment.join("bin").join("python");
    let complete = environment.join(COMPLETE);
    if complete.exists() && has_client(&python) {
        return Ok(python);
    }
    eprintln!("installing a `requirements.txt`, once");
    create(environment)?;
    requirements.install(&python, &[RUNTIME_CLIENT, BOTO3])?;
    fs::write(&complete, "").map_err(|error| error.to_string())?;
    Ok(python)
}

/// Creates a virtual environment.
fn create(environment: &Path) -> Result<(), String> {
    let system = Path::new("python3");
    if !quiet(system, &["--version"]) {
        return Err("python3 is not installed".to_owned());
    }
    if !quiet(system, &["-m", "venv", "--clear", &environment.to_string_lossy()]) {
        return Err("python3 cannot create a virtual environment".to_owned());
    }
    Ok(())
}

/// Returns the system's Python, or one with the client in an environment that is created if need
/// be.
fn find(store: &Path) -> Result<PathBuf, String> {
    let system = PathBuf::from("python3");
    if has_client(&system) {
        return Ok(system);
    }
    let _lock = lock_of(store)?;
    let environment = store.join("python");
    let python = environment.join("bin").join("python");
    if has_client(&python) {
        return Ok(python);
    }
    eprintln!("installing {RUNTIME_CLIENT}, once");
    create(&environment)?;
    if !quiet(&python, &["-m", "pip", "install", "--quiet", RUNTIME_CLIENT]) || !has_client(&python)
    {
        return Err(format!("pip could not install {RUNTIME_CLIENT}"));
    }
    Ok(python)
}

/// Locks the store, so that two commands do not create one environment at the same time. Dropping
/// the file releases the lock.
fn lock_of(store: &Path) -> Result<File, String> {
    lock(&store.join("python.lock"))
        .map_err(|error| format!("`{}` cannot be written: {error}", store.display()))
}

fn lock(path: &Path) -> std::io::Result<File> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let file = File::create(path)?;
    file.lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_until_what_it_rests_on_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (record, file) = (folder.path().join("python.json"), folder.path().join("client.py"));
        fs::write(&file, "one").expect("written");
        let known = Known {
            program: "python3".into(),
            search_path: search_path(),
            client: file.clone(),
            stamps: vec![stamp(&file).expect("it exists")],
        };
        fs::write(&record, serde_json::to_string(&known).expect("JSON")).expect("written");
        assert_eq!(recall(&record), Some("python3".into()));
        fs::write(&file, "another").expect("written");
        assert_eq!(recall(&record), None);
        fs::remove_file(&file).expect("removed");
        assert_eq!(recall(&record), None);
        fs::write(&record, "nonsense").expect("written");
        assert_eq!(recall(&record), None);
    }
}
