//! Which Python runs the functions: the user's if it has Lambda's runtime client, else one in a virtual environment that is made once.
//!
//! Asking an interpreter takes longer than everything else a repeat does, so the answer is kept, with what it rests on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::requirements::Requirements;

/// The version of Lambda's own runtime client for Python, which speaks the Runtime API.
const RUNTIME_CLIENT: &str = "awslambdaric==4.2.2";

/// What Lambda's runtime has beside it. A function with `requirements.txt` finds it here too.
const BOTO3: &str = "boto3==1.44.5";

/// Written last into an environment with requirements: what was cut off half-way is made anew.
const COMPLETE: &str = "complete";

/// An answer, and what it rests on: it holds while none of that has changed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    program: PathBuf,
    /// Where `python3` was looked for.
    search_path: String,
    /// The client's own file.
    client: PathBuf,
    stamps: Vec<Stamp>,
}

/// A file as it was: its size and the time of its last change.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    file: PathBuf,
    bytes: u64,
    modified_ns: u128,
}

/// The interpreter, or why there is none. `store` is where a virtual environment may be made: one for all functions, and one for every
/// `requirements.txt` that differs.
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

fn recall(record: &Path) -> Option<PathBuf> {
    let known: Known = serde_json::from_str(&fs::read_to_string(record).ok()?).ok()?;
    let is_same = known.search_path == search_path()
        && known.stamps.iter().all(|kept| stamp(&kept.file).as_ref() == Some(kept));
    is_same.then_some(known.program)
}

/// Asks the interpreter where it and the client lie.
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

fn quiet(program: &Path, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn has_client(program: &Path) -> bool {
    quiet(program, &["-c", "import awslambdaric"])
}

/// The interpreter of an environment that has what a function asks for.
fn own(environment: &Path, store: &Path, requirements: &Requirements) -> Result<PathBuf, String> {
    let _lock = lock_of(store)?;
    let python = environment.join("bin").join("python");
    let complete = environment.join(COMPLETE);
    if complete.exists() && has_client(&python) {
        return Ok(python);
    }
    eprintln!("preparing Python for a `requirements.txt`, once");
    create(environment)?;
    requirements.install(&python, &[RUNTIME_CLIENT, BOTO3])?;
    fs::write(&complete, "").map_err(|error| error.to_string())?;
    Ok(python)
}

fn create(environment: &Path) -> Result<(), String> {
    let system = Path::new("python3");
    if !quiet(system, &["--version"]) {
        return Err("python3 is not installed".to_owned());
    }
    if !quiet(system, &["-m", "venv", "--clear", &environment.to_string_lossy()]) {
        return Err("python3 cannot make a virtual environment".to_owned());
    }
    Ok(())
}

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
    eprintln!("preparing Python once: {RUNTIME_CLIENT}");
    create(&environment)?;
    if !quiet(&python, &["-m", "pip", "install", "--quiet", RUNTIME_CLIENT]) || !has_client(&python)
    {
        return Err(format!("pip could not install {RUNTIME_CLIENT}"));
    }
    Ok(python)
}

/// Two commands that start at once must not build one environment. Freed when it is dropped.
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
