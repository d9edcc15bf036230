//! Python functions: found interpreter, runtime client, digest of the folder.

mod interpreter;
mod requirements;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest, Sha256};
use sidestep_core::plan::lease::SDK_VARIABLE;
use sidestep_local::lambda::Command;

use crate::error::user;
use crate::functions::{Stored, lambda_digest};
use crate::project::FunctionSettings;

pub(crate) use requirements::Requirements;

/// A function's code, or why it cannot run here.
#[derive(Debug)]
pub(crate) enum Found {
    Code(Box<Stored>),
    LeftOut(String),
}

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
    let requirements = Requirements::of(&source)?;
    let interpreter = match interpreter::interpreter(store, requirements.as_ref()) {
        Ok(interpreter) => interpreter,
        Err(why) => return Ok(Found::LeftOut(why)),
    };
    let folder = store.join(hex::encode(digest));
    copy(&source, &files, &folder)?;
    let mut environment = settings.environment.clone();
    if requirements.as_ref().is_some_and(Requirements::has_sdk) {
        environment.insert(SDK_VARIABLE.to_owned(), "1".to_owned());
    }
    let command = Command {
        program: interpreter,
        args: vec!["-m".into(), "awslambdaric".into(), handler.into()],
        working_dir: Some(folder),
        environment,
        runtime: runtime.clone(),
        handler: handler.clone(),
    };
    let mut code = digest.to_vec();
    code.extend(format!("\0{runtime}\0{handler}\0").into_bytes());
    code.extend(requirements.iter().flat_map(Requirements::digest));
    let sha256 = lambda_digest(&code, settings);
    Ok(Found::Code(Box::new(Stored { command, sha256 })))
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
                // What setuptools leaves behind in a package that it builds.
                if name.ends_with(".egg-info") {
                    continue;
                }
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
