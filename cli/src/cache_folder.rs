//! The user's cache folder: what is installed once on this machine, for all projects.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::output::error::{CommandError, OrError as _, user};

/// File that is written last into a folder. A folder without it is made again.
const COMPLETE: &str = "complete.json";

/// Returns the folder: `SIDESTEP_CACHE_DIR`, else `sidestep` in `XDG_CACHE_HOME` or in `~/.cache`.
pub(crate) fn cache_folder() -> Result<PathBuf, CommandError> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let of_user = || {
        let caches = named("XDG_CACHE_HOME").filter(|folder| folder.is_absolute());
        Some(caches.or_else(|| Some(named("HOME")?.join(".cache")))?.join("sidestep"))
    };
    named("SIDESTEP_CACHE_DIR").or_else(of_user).ok_or_else(|| {
        user("there is no folder for what sidestep installs: `HOME` is not set")
            .hint("set `SIDESTEP_CACHE_DIR` to a folder")
    })
}

/// Returns what `make` said about the folder when it was made, and makes it if need be.
///
/// Two processes never make one folder at the same time. A folder whose making was interrupted, or
/// that `is_whole` finds damaged, is removed and made again.
pub(crate) fn made_once<T: Serialize + DeserializeOwned>(
    folder: &Path,
    is_whole: impl Fn(&T) -> bool,
    make: impl FnOnce() -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let complete = folder.join(COMPLETE);
    if let Some(made) = read(&complete).filter(|made| is_whole(made)) {
        return Ok(made);
    }
    let unwritable = || format!("could not write `{}`", folder.display());
    let _lock = lock(folder).or_service(unwritable)?;
    if let Some(made) = read(&complete).filter(|made| is_whole(made)) {
        return Ok(made);
    }
    if folder.exists() {
        fs::remove_dir_all(folder).or_service(unwritable)?;
    }
    fs::create_dir(folder).or_service(unwritable)?;
    let made = make().inspect_err(|_| drop(fs::remove_dir_all(folder)))?;
    let temporary = folder.join("complete.new");
    fs::write(&temporary, serde_json::to_string(&made)?)
        .and_then(|()| fs::rename(&temporary, &complete))
        .or_service(unwritable)?;
    Ok(made)
}

/// Reads what a file holds; one that is damaged counts as missing.
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// Locks the making of a folder. Dropping the file releases the lock.
fn lock(folder: &Path) -> io::Result<File> {
    folder.parent().map_or(Ok(()), fs::create_dir_all)?;
    let mut path = folder.as_os_str().to_owned();
    path.push(".lock");
    let file = File::create(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            eprintln!("another sidestep is installing the same packages: waiting until it ends");
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {}
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_once_and_again_only_if_that_was_cut_short() {
        let top = tempfile::tempdir().expect("a folder");
        let folder = top.path().join("one");
        let made = |value: u32| {
            let make = || {
                fs::write(folder.join("file"), "x")?;
                Ok(value)
            };
            made_once(&folder, |_| folder.join("file").exists(), make).expect("made")
        };
        assert_eq!((made(1), made(2)), (1, 1));
        fs::remove_file(folder.join("file")).expect("removed");
        assert_eq!(made(3), 3, "it was damaged");
        fs::remove_file(folder.join(COMPLETE)).expect("removed");
        fs::write(folder.join("rest"), "").expect("written");
        assert_eq!(made(4), 4, "its making was cut short");
        assert!(!folder.join("rest").exists());

        let other = top.path().join("other");
        let fails = || Err::<u32, _>(user("no"));
        assert!(made_once(&other, |_| true, fails).is_err());
        assert!(!other.exists(), "nothing is left of a failure");
    }
}
