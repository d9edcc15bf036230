//! Folders of code: lists, digests and copies their files.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::output::error::{CommandError, OrError as _};

/// Returns the folder's files, sorted and relative to it, without caches and hidden files.
pub(crate) fn list_files(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let entries = fs::read_dir(&current)
            .or_user(|| format!("could not read folder `{}`", current.display()))?;
        for entry in entries {
            let entry = entry?;
            let file_name = entry.file_name();
            let name = file_name.to_string_lossy();
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

/// Returns the SHA-256 of the files' names and contents.
pub(crate) fn digest(folder: &Path, files: &[PathBuf]) -> Result<[u8; 32], CommandError> {
    let mut hash = Sha256::new();
    for file in files {
        let path = folder.join(file);
        let bytes =
            fs::read(&path).or_service(|| format!("could not read `{}`", path.display()))?;
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(b"\0");
        hash.update(Sha256::digest(bytes));
    }
    Ok(hash.finalize().into())
}

/// Copies the files into `folder`, unless it exists.
pub(crate) fn copy(source: &Path, files: &[PathBuf], folder: &Path) -> Result<(), CommandError> {
    if folder.exists() {
        return Ok(());
    }
    let temporary = folder.with_extension(std::process::id().to_string());
    for file in files {
        let target = temporary.join(file);
        fs::create_dir_all(target.parent().unwrap_or(&temporary))?;
        fs::copy(source.join(file), &target)
            .or_service(|| format!("could not write `{}`", target.display()))?;
    }
    fs::create_dir_all(&temporary)?;
    // Another process may have been faster; its copy is the same.
    if fs::rename(&temporary, folder).is_err() {
        fs::remove_dir_all(&temporary)?;
    }
    Ok(())
}
