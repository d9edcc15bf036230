//! Old files of the state folder: logs of executions, and copies of code that no command uses.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sidestep_engine::read::garbage::Mode;

use crate::cache_folder::unused;
use crate::output::error::{CommandError, OrError as _};

/// Folders below the state folder that hold one folder for each copy of code.
const CODE: [&str; 2] = ["functions", "vendored"];

/// Folders below the user's cache folder that hold what is installed for functions.
const INSTALLED: [&str; 2] = ["python", "node"];

/// Something that was removed, or would be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Freed {
    /// Relative to the state folder if it was there.
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Removes logs that were last written before the cut-off, unless their execution is live.
pub(crate) fn collect_logs(
    state: &Path,
    cut_off: SystemTime,
    live: &BTreeSet<String>,
    mode: Mode,
) -> Result<Vec<Freed>, CommandError> {
    let is_live = |path: &Path| {
        path.file_stem().is_some_and(|stem| live.contains(stem.to_string_lossy().as_ref()))
    };
    let mut freed = Vec::new();
    for (path, metadata) in children(&state.join("logs"))? {
        if metadata.is_file() && is_old(&metadata, cut_off) && !is_live(&path) {
            freed.push(free(state, &path, metadata.len(), mode)?);
        }
    }
    Ok(freed)
}

/// Removes copies of code that were last used before the cut-off. No command may use them now.
pub(crate) fn collect_code(
    state: &Path,
    cut_off: SystemTime,
    mode: Mode,
) -> Result<Vec<Freed>, CommandError> {
    let mut freed = Vec::new();
    for folder in CODE {
        for (path, metadata) in children(&state.join(folder))? {
            if metadata.is_dir() && is_old(&metadata, cut_off) {
                freed.push(free(state, &path, size(&path)?, mode)?);
            }
        }
    }
    Ok(freed)
}

/// Removes what was installed for functions in the user's cache folder, if no process has used it
/// since the cut-off.
pub(crate) fn collect_installed(
    caches: &Path,
    cut_off: SystemTime,
    mode: Mode,
) -> Result<Vec<Freed>, CommandError> {
    let mut freed = Vec::new();
    for kind in INSTALLED {
        let store = caches.join(kind);
        let unreadable = || format!("could not read folder `{}`", store.display());
        for unused in unused(&store, cut_off).or_service(unreadable)? {
            let bytes = size(&unused.folder)?;
            // Its whole path, because it is not in the state folder.
            freed.push(free(Path::new(""), &unused.folder, bytes, mode)?);
        }
    }
    Ok(freed)
}

fn is_old(metadata: &Metadata, cut_off: SystemTime) -> bool {
    metadata.modified().is_ok_and(|modified| modified < cut_off)
}

/// Returns what is in a folder, by name. A folder that does not exist has nothing.
fn children(folder: &Path) -> Result<Vec<(PathBuf, Metadata)>, CommandError> {
    let unreadable = || format!("could not read folder `{}`", folder.display());
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).or_service(unreadable)? {
        let entry = entry.or_service(unreadable)?;
        // Not followed: a link is what may be removed, never what it leads to.
        let metadata = entry.metadata().or_service(unreadable)?;
        found.push((entry.path(), metadata));
    }
    found.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(found)
}

/// Returns the bytes of all files below a folder.
fn size(folder: &Path) -> Result<u64, CommandError> {
    let mut bytes = 0;
    for (path, metadata) in children(folder)? {
        bytes += if metadata.is_dir() { size(&path)? } else { metadata.len() };
    }
    Ok(bytes)
}

fn free(state: &Path, path: &Path, bytes: u64, mode: Mode) -> Result<Freed, CommandError> {
    if mode == Mode::Remove {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.or_service(|| format!("could not remove `{}`", path.display()))?;
    }
    Ok(Freed { path: path.strip_prefix(state).unwrap_or(path).to_owned(), bytes })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn old_logs_and_code_go_and_what_is_used_or_live_stays() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        let write = |file: &str| {
            let path = state.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "12345").unwrap();
        };
        for file in ["logs/old.log", "logs/live.log", "logs/new.log"] {
            write(file);
        }
        for file in ["functions/old/a/bootstrap", "functions/used/h.py", "functions/build.json"] {
            write(file);
        }
        let (now, cut_off) = (SystemTime::now(), SystemTime::now() - Duration::from_mins(1));
        let age = |file: &str| {
            let handle = fs::File::open(state.join(file)).unwrap();
            handle.set_modified(now - Duration::from_mins(2)).unwrap();
        };
        let aged = [
            "logs/old.log",
            "logs/live.log",
            "functions/old",
            "functions/used",
            "functions/build.json",
        ];
        for file in aged {
            age(file);
        }
        crate::used_code::touch(&state.join("functions/used"));
        let live = BTreeSet::from(["live".to_owned()]);
        let freed = |path: &str| vec![Freed { path: path.into(), bytes: 5 }];
        for mode in [Mode::DryRun, Mode::Remove] {
            let logs = collect_logs(state, cut_off, &live, mode).unwrap();
            assert_eq!(logs, freed("logs/old.log"));
            assert_eq!(collect_code(state, cut_off, mode).unwrap(), freed("functions/old"));
        }
        assert_eq!(collect_logs(state, cut_off, &live, Mode::Remove).unwrap(), []);
        let left = ["logs/live.log", "logs/new.log", "functions/used/h.py", "functions/build.json"];
        assert!(left.iter().all(|file| state.join(file).is_file()));
        assert!(!state.join("functions/old").exists());
    }

    #[test]
    fn what_is_installed_goes_when_no_process_has_used_it_for_long() {
        let caches = tempfile::tempdir().unwrap();
        let store = caches.path().join("python");
        for name in ["old", "made", "used"] {
            fs::create_dir_all(store.join(name).join("lib")).unwrap();
            fs::write(store.join(name).join("lib/module.py"), "12345").unwrap();
        }
        let (now, day) = (SystemTime::now(), Duration::from_hours(24));
        let age = |file: &str| {
            fs::write(store.join(file), "").unwrap();
            let handle = fs::File::options().append(true).open(store.join(file)).unwrap();
            handle.set_modified(now - 2 * day).unwrap();
        };
        for file in ["old.used", "used.used", "made/complete.json"] {
            age(file);
        }
        // Another process uses it.
        let other = fs::File::open(store.join("used.used")).unwrap();
        other.lock_shared().unwrap();
        let collect = |mode| {
            let freed = collect_installed(caches.path(), now - day, mode).unwrap();
            freed.into_iter().map(|one| (one.path, one.bytes)).collect::<Vec<_>>()
        };
        let expected = ["made", "old"].map(|name| (store.join(name), 5));
        assert_eq!(collect(Mode::DryRun), expected);
        assert_eq!(collect(Mode::Remove), expected);
        assert_eq!(collect(Mode::Remove), []);
        assert!(store.join("used/lib").is_dir() && !store.join("old").exists());
    }
}
