//! A ticket: what a command that joins another one asks of it, as a file of the state folder.
//!
//! The file beside it stays locked while the command lives, so that a ticket of a command that was
//! killed counts no longer.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sidestep_core::name::ExecutionId;

use crate::output::error::{CommandError, OrError as _};

/// Folder of the tickets, below the state folder.
const FOLDER: &str = "joined";

/// What the command asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Join {
    /// The process that is asked. Another one that owns the state folder later does not know how
    /// far the work has come.
    pub(crate) owner: u32,
    /// The folder of its project.
    pub(crate) project: PathBuf,
    /// Digests of the functions that it needs, by name.
    pub(crate) functions: BTreeMap<String, String>,
    /// The execution that it follows, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) execution: Option<ExecutionId>,
    /// If true, the process that drove the execution has ended.
    #[serde(default)]
    pub(crate) is_interrupted: bool,
}

/// The ticket of this process, which it gives back when the value is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    folder: PathBuf,
    name: String,
    join: Join,
    /// Held and not read: the lock ends with it.
    _lock: File,
}

impl Ticket {
    /// Writes a ticket.
    pub(crate) fn write(state: &Path, join: Join) -> Result<Self, CommandError> {
        let folder = state.join(FOLDER);
        let name = std::process::id().to_string();
        let path = lock_path(&folder, &name);
        let failed = || format!("could not write `{}`", path.display());
        fs::create_dir_all(&folder).or_service(failed)?;
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = opened.or_service(failed)?;
        lock.lock().or_service(failed)?;
        let ticket = Self { folder: folder.clone(), name, join, _lock: lock };
        ticket.save()?;
        Ok(ticket)
    }

    /// Returns the name under which the answer is published.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns true if the ticket asks this process.
    pub(crate) fn asks(&self, owner: u32) -> bool {
        self.join.owner == owner
    }

    /// Adds the execution that the command follows.
    pub(crate) fn follow(
        &mut self,
        id: &ExecutionId,
        is_interrupted: bool,
    ) -> Result<(), CommandError> {
        self.join.execution = Some(id.clone());
        self.join.is_interrupted = is_interrupted;
        self.save()
    }

    fn save(&self) -> Result<(), CommandError> {
        let path = self.folder.join(format!("{}.json", self.name));
        // As a whole: the other command may read at any moment.
        let temporary = self.folder.join(format!("{}.new", self.name));
        fs::write(&temporary, serde_json::to_vec(&self.join)?)
            .and_then(|()| fs::rename(&temporary, &path))
            .or_service(|| format!("could not write `{}`", path.display()))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        remove(&self.folder, &self.name);
    }
}

/// Returns the tickets of living commands by name, and removes the others.
pub(crate) fn tickets(state: &Path) -> BTreeMap<String, Join> {
    let folder = state.join(FOLDER);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !is_held(&folder, &name) {
            remove(&folder, &name);
            continue;
        }
        if let Some(join) = fs::read(&path).ok().and_then(|it| serde_json::from_slice(&it).ok()) {
            found.insert(name, join);
        }
    }
    found
}

/// Returns true while the command that wrote the ticket lives.
fn is_held(folder: &Path, name: &str) -> bool {
    let lock = File::open(lock_path(folder, name));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

fn lock_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.lock"))
}

/// Removes a ticket's files. A file that is gone already is no failure.
fn remove(folder: &Path, name: &str) {
    for ending in ["json", "lock"] {
        let _ = fs::remove_file(folder.join(format!("{name}.{ending}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_counts_while_its_command_lives() {
        let state = tempfile::tempdir().unwrap();
        let join = Join {
            owner: 1,
            project: PathBuf::from("/project"),
            functions: BTreeMap::from([("f".to_owned(), "digest".to_owned())]),
            execution: None,
            is_interrupted: false,
        };
        assert_eq!(tickets(state.path()), BTreeMap::new());
        let mut ticket = Ticket::write(state.path(), join.clone()).unwrap();
        let name = ticket.name().to_owned();
        assert_eq!(tickets(state.path()), BTreeMap::from([(name.clone(), join.clone())]));
        let id = ExecutionId::parse("abcdefghijkl").unwrap();
        ticket.follow(&id, true).unwrap();
        let followed = Join { execution: Some(id), is_interrupted: true, ..join };
        assert_eq!(tickets(state.path()).get(&name), Some(&followed));

        // As if the command were killed: the lock goes, the files stay.
        let folder = state.path().join(FOLDER);
        drop(ticket);
        fs::write(folder.join("7.json"), serde_json::to_vec(&followed).unwrap()).unwrap();
        fs::write(folder.join("7.lock"), "").unwrap();
        assert_eq!(tickets(state.path()), BTreeMap::new());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}
