//! Folders of files: lists, digests and copies them.
//!
//! What is digested, what is copied to run and what is zipped to be deployed is one list, so a
//! result never depends on a file that its key does not cover.

mod ignored;
mod walk;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub(crate) use walk::{code_files, data_files, installed_files};

use crate::output::error::{CommandError, OrError as _};

/// Returns the SHA-256 of the files' names, contents and permissions to execute.
pub(crate) fn digest(folder: &Path, files: &[PathBuf]) -> Result<[u8; 32], CommandError> {
    let mut hash = Sha256::new();
    for file in files {
        let path = folder.join(file);
        let (bytes, mode) = fs::read(&path)
            .and_then(|bytes| Ok((bytes, fs::metadata(&path)?.permissions().mode())))
            .or_service(|| format!("could not read `{}`", path.display()))?;
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(if mode & 0o111 == 0 { b"\0-" } else { b"\0x" });
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
    copy_into(source, files, &temporary)?;
    // Another process may have been faster; its copy is the same.
    if fs::rename(&temporary, folder).is_err() {
        fs::remove_dir_all(&temporary)?;
    }
    Ok(())
}

/// Copies the files into `folder`. Links become what they lead to.
pub(crate) fn copy_into(
    source: &Path,
    files: &[PathBuf],
    folder: &Path,
) -> Result<(), CommandError> {
    fs::create_dir_all(folder).or_service(|| format!("could not create `{}`", folder.display()))?;
    for file in files {
        let target = folder.join(file);
        fs::create_dir_all(target.parent().unwrap_or(folder))?;
        fs::copy(source.join(file), &target)
            .or_service(|| format!("could not write `{}`", target.display()))?;
    }
    Ok(())
}
