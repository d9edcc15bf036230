//! A sandbox without mounts: the process works in a copy of its code.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::lambda::function::Command;

/// Returns how the process is started in a copy of its code.
pub(super) fn command(command: &Command, folder: &Path, code: &Path) -> io::Result<Command> {
    let mut command = command.clone();
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary)?;
    let variable = command.environment.entry("TMPDIR".to_owned());
    variable.or_insert_with(|| temporary.display().to_string());
    let Some(stored) = &command.working_dir else { return Ok(command) };
    let stored = fs::canonicalize(stored)?;
    let Ok(name) = stored.strip_prefix(code) else { return Ok(command) };
    // Its path ends as that of the stored code, which messages are searched for.
    let own = folder.join(code.file_name().unwrap_or_default()).join(name);
    copy(&stored, &own)?;
    if let Ok(program) =
        command.program.strip_prefix(command.working_dir.as_ref().unwrap_or(&stored))
    {
        command.program = own.join(program);
    }
    command.working_dir = Some(own);
    Ok(command)
}

/// Copies a folder. Links stay links, and what is copied may only be read.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, source, target) = (entry.file_type()?, entry.path(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else {
            fs::copy(&source, &target)?;
            forbid_writing(&target)?;
        }
    }
    forbid_writing(to)
}

fn forbid_writing(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    fs::set_permissions(path, Permissions::from_mode(mode & !0o222))
}

/// Removes a folder with all that is in it, as far as the system lets. What is left is removed when
/// the next host starts.
pub(super) fn remove(folder: &Path) {
    let removed = fs::remove_dir_all(folder).or_else(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return Ok(());
        }
        allow_writing(folder);
        fs::remove_dir_all(folder)
    });
    if let Err(error) = removed {
        tracing::debug!(%error, folder = %folder.display(), "could not remove an environment's files");
    }
}

/// Lets the user change a folder and those in it, as far as the system lets.
fn allow_writing(folder: &Path) {
    let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        allow_writing(&entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_code_can_be_changed_without_the_code_and_removed() {
        let state = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(state.path()).expect("a path");
        let code = root.join("functions");
        let stored = code.join("digest");
        fs::create_dir_all(stored.join("inner")).expect("created");
        fs::write(stored.join("inner/a.py"), "1").expect("written");
        fs::write(stored.join("bootstrap"), "1").expect("written");
        symlink("/nowhere", stored.join("node_modules")).expect("linked");
        let before = Command {
            program: stored.join("bootstrap"),
            working_dir: Some(stored.clone()),
            ..Command::default()
        };
        let folder = root.join("environments/1");
        let after = command(&before, &folder, &code).expect("copied");
        let own = folder.join("functions/digest");
        assert_eq!(after.program, own.join("bootstrap"));
        assert_eq!(after.working_dir.as_ref(), Some(&own));
        assert_eq!(after.environment["TMPDIR"], folder.join("tmp").display().to_string());
        assert_eq!(fs::read_to_string(own.join("inner/a.py")).expect("read"), "1");
        assert!(fs::symlink_metadata(own.join("node_modules")).expect("kept").is_symlink());
        for path in [&own, &own.join("inner"), &own.join("inner/a.py")] {
            assert_eq!(fs::metadata(path).expect("there").permissions().mode() & 0o222, 0);
        }
        remove(&folder);
        assert!(!folder.exists() && stored.join("inner/a.py").exists());
    }
}
