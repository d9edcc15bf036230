//! The user's cache folder: what is installed once on this machine, for all projects.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::output::error::{CommandError, OrError as _, user};

/// File that is written last into a folder. A folder without it is made again.
const COMPLETE: &str = "complete.json";
/// The end of the name of the file beside a folder that its users lock. Its time is the last use's.
const USED: &str = ".used";

/// The locks on the folders that this process uses. They hold until it ends.
static IN_USE: Mutex<BTreeMap<PathBuf, File>> = Mutex::new(BTreeMap::new());

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
    if let Err(error) = note_use(folder) {
        tracing::debug!(%error, folder = %folder.display(), "could not note the use of a folder");
    }
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

/// Notes that this process uses a folder from now on, so that no collection removes it. Waits until
/// a collection that removes it right now is done.
fn note_use(folder: &Path) -> io::Result<()> {
    let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    if in_use.contains_key(folder) {
        return Ok(());
    }
    folder.parent().map_or(Ok(()), fs::create_dir_all)?;
    let file = File::options().create(true).append(true).open(beside(folder, USED))?;
    file.lock_shared()?;
    file.set_modified(SystemTime::now())?;
    in_use.insert(folder.to_owned(), file);
    Ok(())
}

/// A folder that no process uses. While this is kept, none begins to.
#[derive(Debug)]
pub(crate) struct Unused {
    pub(crate) folder: PathBuf,
    _lock: File,
}

/// Returns the folders among those in `store` that no process has used since `cut_off`, by name. A
/// folder without a note of its use counts from when it was made.
pub(crate) fn unused(store: &Path, cut_off: SystemTime) -> io::Result<Vec<Unused>> {
    let mut found = Vec::new();
    if !store.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(store)? {
        let entry = entry?;
        let folder = entry.path();
        if !entry.metadata()?.is_dir() {
            continue;
        }
        let used = beside(&folder, USED);
        let noted = used.metadata().or_else(|_| folder.join(COMPLETE).metadata());
        let is_old = |time: SystemTime| time < cut_off;
        // Without either file its making was cut short, or goes on.
        let time = noted.or_else(|_| entry.metadata())?.modified()?;
        let is_noted = used.exists();
        let lock = File::options().create(true).append(true).open(&used)?;
        if !is_noted {
            lock.set_modified(time)?;
        }
        if is_old(time) && lock.try_lock().is_ok() {
            found.push(Unused { folder, _lock: lock });
        }
    }
    found.sort_by(|left, right| left.folder.cmp(&right.folder));
    Ok(found)
}

/// Returns the path of a file beside a folder.
fn beside(folder: &Path, end: &str) -> PathBuf {
    let mut path = folder.as_os_str().to_owned();
    path.push(end);
    path.into()
}

/// Reads what a file holds; one that is damaged counts as missing.
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// Locks the making of a folder. Dropping the file releases the lock.
fn lock(folder: &Path) -> io::Result<File> {
    folder.parent().map_or(Ok(()), fs::create_dir_all)?;
    let file = File::create(beside(folder, ".lock"))?;
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
    use std::time::{Duration, Instant};

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

        let cut_off = SystemTime::now() + Duration::from_mins(1);
        let unused = || super::unused(top.path(), cut_off).expect("the folder is read");
        assert!(unused().is_empty(), "this process uses it");
        IN_USE.lock().expect("not poisoned").remove(&folder);
        // A process that another test starts at this moment holds a copy of the lock.
        let until = Instant::now() + Duration::from_secs(10);
        while unused().is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(unused().len(), 1);
        let used = fs::metadata(beside(&folder, USED)).and_then(|file| file.modified());
        let before = used.expect("a note of its use");
        assert!(super::unused(top.path(), before).expect("read").is_empty(), "it was used since");

        let other = top.path().join("other");
        let fails = || Err::<u32, _>(user("no"));
        assert!(made_once(&other, |_| true, fails).is_err());
        assert!(!other.exists(), "nothing is left of a failure");
    }
}
