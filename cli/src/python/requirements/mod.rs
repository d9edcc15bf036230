//! What packages a function needs: reads the file that says so, in any of the usual forms, and
//! writes it anew for an installer.

mod entry;
mod file;
mod flat;
mod local;
mod lock;
mod pipenv;
mod place;
mod poetry;
mod pyproject;
mod source;
mod specifier;
#[cfg(test)]
mod tests;
mod text;
mod uv;

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use self::entry::{Entry, Local, name_of, normal};
use self::local::{Folders, own_name};
use self::source::{Source, source};
use crate::files::data_files;
use crate::output::error::{CommandError, OrError as _};

/// The step SDK's package.
const SDK: &str = "sidestep-step";

/// The packages that a function needs beside its own files.
#[derive(Debug)]
pub(crate) struct Requirements {
    /// The file that says so.
    pub(super) file: PathBuf,
    source: Source,
    folders: Folders,
    digest: [u8; 32],
}

impl Requirements {
    /// Reads what the function in `folder` of the project `top` needs; returns `None` if no file
    /// says so.
    pub(crate) fn of(folder: &Path, top: &Path) -> Result<Option<Self>, CommandError> {
        let Some(source) = source(folder)? else { return Ok(None) };
        let mut folders = Folders::default();
        let mut hash = Sha256::new();
        for (kind, entries) in [(b"r", &source.asked.entries), (b"c", &source.asked.constraints)] {
            for entry in entries {
                hash.update(kind);
                hash.update(content(entry, &mut folders, top).map_err(|error| {
                    error.within(format!("`{}` cannot be followed", source.file.display()))
                })?);
            }
        }
        let file = source.file.clone();
        Ok(Some(Self { file, source, folders, digest: hash.finalize().into() }))
    }

    /// Returns true if the function has the step SDK for Python.
    pub(crate) fn has_sdk(&self) -> bool {
        self.source.asked.entries.iter().any(|entry| match entry {
            Entry::Line(line) => name_of(line).as_deref() == Some(SDK),
            Entry::Local(Local { path, name, .. }) => {
                let of_file = path.file_name().map(|name| normal(&name.to_string_lossy()));
                let names = [name.as_deref().map(normal), own_name(path), of_file];
                names.into_iter().flatten().any(|name| name == SDK)
            }
            Entry::FindLinks(_) => false,
        })
    }

    /// Returns the digest of all that is asked for, with the content of packages on this machine.
    /// It does not depend on where those lie.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Writes the requirements into `folder` in the one form that all installers read, with copies
    /// of the packages on this machine. Returns the file.
    pub(crate) fn write(&self, folder: &Path) -> Result<PathBuf, CommandError> {
        self.folders.copy(folder)?;
        let write = |name: &str, entries: &[Entry], first: Option<String>| {
            let lines = entries.iter().map(|entry| self.line(entry, folder));
            let text: Vec<_> = first.into_iter().chain(lines).collect();
            let file = folder.join(name);
            fs::write(&file, text.join("\n") + "\n")
                .or_service(|| format!("could not write `{}`", file.display()))?;
            Ok::<_, CommandError>(file)
        };
        let asked = &self.source.asked;
        let mut first = None;
        if !asked.constraints.is_empty() {
            let file = write("constraints.txt", &asked.constraints, None)?;
            first = Some(format!("-c {}", file.display()));
        }
        write("requirements.txt", &asked.entries, first)
    }

    fn line(&self, entry: &Entry, folder: &Path) -> String {
        match entry {
            Entry::Line(line) => line.clone(),
            Entry::FindLinks(path) => format!("--find-links {}", path.display()),
            Entry::Local(Local { path, name, extras, rest }) => {
                let name = name.clone().or_else(|| own_name(path));
                let place = self.folders.place(path, folder);
                match name {
                    Some(name) => format!("{name}{extras} @ {}{rest}", place::url(&place)),
                    None => format!("{}{extras}{rest}", place.display()),
                }
            }
        }
    }
}

/// Returns a note on the files of the function's folder that are not read.
pub(crate) fn note(folder: &Path, requirements: Option<&Requirements>) -> Option<String> {
    let unread = source::unread(folder, requirements.map(|read| read.file.as_path()));
    let names: Vec<_> = unread.iter().map(|name| format!("`{name}`")).collect();
    let verb = if let [_] = *names { "is" } else { "are" };
    let file = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let instead = match requirements {
        Some(read) => format!("its packages are those of `{}`", file(&read.file)),
        None => "list its packages in `requirements.txt`".to_owned(),
    };
    (!names.is_empty()).then(|| format!("{} {verb} not read: {instead}", names.join(", ")))
}

/// Returns what an entry says, without the place where it says it.
fn content(entry: &Entry, folders: &mut Folders, top: &Path) -> Result<[u8; 32], CommandError> {
    let mut hash = Sha256::new();
    match entry {
        Entry::Line(line) => hash.update(line),
        Entry::Local(local) => {
            hash.update(folders.add(local, top)?);
            hash.update(format!("\0{:?}\0{}\0{}", local.name, local.extras, local.rest));
        }
        Entry::FindLinks(folder) => {
            for file in data_files(folder)? {
                hash.update(format!("{}\0", file.display()));
                hash.update(Sha256::digest(fs::read(folder.join(&file))?));
            }
        }
    }
    Ok(hash.finalize().into())
}
