//! Packages in folders and files of this machine: their content, and copies to build them from.
//!
//! Tools that build a package write beside its source. So a package is built from a copy, and the
//! copies of several packages lie to each other as the packages do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::Value;

use super::entry::{Entry, Local, normal, requirement};
use super::pyproject;
use crate::files::{code_files, copy_into, digest};
use crate::output::error::{CommandError, OrError as _, user};

/// The folders of local packages, with their code's files.
#[derive(Debug, Default)]
pub(super) struct Folders {
    files: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl Folders {
    /// Returns the digest of a package and of the local packages that it names itself.
    pub(super) fn add(&mut self, local: &Local, top: &Path) -> Result<[u8; 32], CommandError> {
        let path = fs::canonicalize(&local.path)
            .or_user(|| format!("there is no package `{}`", local.path.display()))?;
        if path.is_file() {
            let bytes =
                fs::read(&path).or_user(|| format!("could not read `{}`", path.display()))?;
            return Ok(Sha256::digest(bytes).into());
        }
        let mut hash = Sha256::new();
        let mut open = vec![path];
        let mut known = Vec::new();
        while let Some(folder) = open.pop() {
            if known.contains(&folder) {
                continue;
            }
            let files = code_files(&folder, top)?;
            let is_package = ["pyproject.toml", "setup.py", "setup.cfg"];
            if !is_package.iter().any(|name| files.iter().any(|file| file == Path::new(name))) {
                let problem = format!("`{}` is not a package", folder.display());
                return Err(user(problem).hint("a package has a `pyproject.toml` or a `setup.py`"));
            }
            hash.update(digest(&folder, &files)?);
            open.extend(named_by(&folder)?);
            self.files.insert(folder.clone(), files);
            known.push(folder);
        }
        Ok(hash.finalize().into())
    }

    /// Copies the packages into `folder`.
    pub(super) fn copy(&self, folder: &Path) -> Result<(), CommandError> {
        for (source, files) in &self.files {
            let target = mirrored(source, folder);
            copy_into(source, files, &target)?;
            // Some packages take their version from Git.
            let git = source.join(".git");
            if git.exists() {
                std::os::unix::fs::symlink(git, target.join(".git"))?;
            }
        }
        Ok(())
    }

    /// Returns where the package at `path` is to be installed from.
    pub(super) fn place(&self, path: &Path, folder: &Path) -> PathBuf {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.files.contains_key(&path) { mirrored(&path, folder) } else { path }
    }
}

fn mirrored(path: &Path, folder: &Path) -> PathBuf {
    folder.join(path.strip_prefix("/").unwrap_or(path))
}

/// Returns the local packages that a package's `pyproject.toml` names.
fn named_by(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let Some(table) = pyproject::table(&folder.join("pyproject.toml"))? else {
        return Ok(Vec::new());
    };
    // A package that cannot be read is judged by the tool that builds it.
    let lines = pyproject::lines(&table, folder).ok().flatten().unwrap_or_default();
    let entries = lines.iter().map(|line| requirement(line, folder));
    let paths = entries.filter_map(|entry| match entry {
        Entry::Local(local) => fs::canonicalize(local.path).ok(),
        _ => None,
    });
    Ok(paths.filter(|path| path.is_dir()).collect())
}

/// Returns the name that a package in a folder gives itself, in its normal form.
pub(super) fn own_name(path: &Path) -> Option<String> {
    let table = pyproject::table(&path.join("pyproject.toml")).ok()??;
    let of_poetry = || table.get("tool")?.get("poetry")?.get("name");
    let name = table.get("project").and_then(|project| project.get("name")).or_else(of_poetry);
    name.and_then(Value::as_str).map(normal)
}
