//! Python functions: found interpreter, runtime client, digest of the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use anyhow::Context as _;
use sha2::{Digest, Sha256};
use sidestep_local::lambda::Command;

use crate::error::user;
use crate::functions::{Stored, lambda_digest};
use crate::project::FunctionSettings;

/// A function's code, or why it cannot run here.
#[derive(Debug)]
pub(crate) enum Found {
    Code(Box<Stored>),
    LeftOut(String),
}

/// The version of Lambda's own runtime client for Python, which speaks the Runtime API.
const RUNTIME_CLIENT: &str = "awslambdaric==4.2.2";

/// Puts a Python function's folder into the store and finds what runs it.
pub(crate) fn command(
    project: &Path,
    name: &str,
    settings: &FunctionSettings,
    store: &Path,
) -> anyhow::Result<Found> {
    let (Some(runtime), Some(handler), Some(path)) =
        (&settings.runtime, &settings.handler, &settings.path)
    else {
        return Err(user(format!("`[functions.{name}]` is not complete")).into());
    };
    if !runtime.starts_with("python3") {
        let hint = "here run Rust packages and the runtimes `python3.x`";
        return Err(user(format!("function `{name}` has runtime `{runtime}`")).hint(hint).into());
    }
    let source = project.join(path);
    let files = files(&source)?;
    let digest = digest(&source, &files)?;
    let interpreter = match interpreter(store) {
        Ok(interpreter) => interpreter,
        Err(why) => return Ok(Found::LeftOut(why)),
    };
    let folder = store.join(hex::encode(digest));
    copy(&source, &files, &folder)?;
    let command = Command {
        program: interpreter,
        args: vec!["-m".into(), "awslambdaric".into(), handler.into()],
        working_dir: Some(folder),
        environment: settings.environment.clone(),
        runtime: runtime.clone(),
        handler: handler.clone(),
    };
    let mut code = digest.to_vec();
    code.extend(format!("\0{runtime}\0{handler}\0").into_bytes());
    let sha256 = lambda_digest(&code, settings);
    Ok(Found::Code(Box::new(Stored { command, sha256 })))
}

/// A Python that has the runtime client: the user's, else one in a virtual environment that is made once.
fn interpreter(store: &Path) -> Result<PathBuf, String> {
    let quiet = |program: &Path, args: &[&str]| {
        let mut command = Process::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let has_client = |program: &Path| quiet(program, &["-c", "import awslambdaric"]);
    let system = PathBuf::from("python3");
    if has_client(&system) {
        return Ok(system);
    }
    let environment = store.join("python");
    let python = environment.join("bin").join("python");
    if has_client(&python) {
        return Ok(python);
    }
    if !quiet(&system, &["--version"]) {
        return Err("python3 is not installed".to_owned());
    }
    eprintln!("preparing Python once: {RUNTIME_CLIENT}");
    let folder = environment.to_string_lossy().into_owned();
    if !quiet(&system, &["-m", "venv", &folder]) {
        return Err("python3 cannot make a virtual environment".to_owned());
    }
    if !quiet(&python, &["-m", "pip", "install", "--quiet", RUNTIME_CLIENT]) || !has_client(&python)
    {
        return Err(format!("pip could not install {RUNTIME_CLIENT}"));
    }
    Ok(python)
}

/// The folder's files, relative and sorted; without caches and hidden files.
pub(crate) fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let entries = fs::read_dir(&current)
            .with_context(|| user(format!("could not read folder `{}`", current.display())))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') || name == "__pycache__" || name.ends_with(".pyc") {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn digest(folder: &Path, files: &[PathBuf]) -> anyhow::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    for file in files {
        let path = folder.join(file);
        let bytes =
            fs::read(&path).with_context(|| format!("could not read `{}`", path.display()))?;
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(b"\0");
        hash.update(Sha256::digest(bytes));
    }
    Ok(hash.finalize().into())
}

fn copy(source: &Path, files: &[PathBuf], folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    let temporary = folder.with_extension(std::process::id().to_string());
    for file in files {
        let target = temporary.join(file);
        fs::create_dir_all(target.parent().unwrap_or(&temporary))?;
        fs::copy(source.join(file), &target)
            .with_context(|| format!("could not write `{}`", target.display()))?;
    }
    fs::create_dir_all(&temporary)?;
    // Another process may have been faster; then its copy is as good.
    if fs::rename(&temporary, folder).is_err() {
        fs::remove_dir_all(&temporary)?;
    }
    Ok(())
}
