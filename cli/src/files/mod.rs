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

use crate::output::error::{CommandError, OrError as _, service};

/// The folder of packages that npm installs beside a function's code.
pub(crate) const INSTALLED: &str = "node_modules";
/// How often a folder is copied whose files change meanwhile.
const COPIES: usize = 10;

/// Returns the SHA-256 of the files' names, contents and permissions to execute.
pub(crate) fn digest(folder: &Path, files: &[PathBuf]) -> Result<[u8; 32], CommandError> {
    let mut hash = Sha256::new();
    for file in files {
        let path = folder.join(file);
        let (bytes, mode) = fs::read(&path)
            .and_then(|bytes| Ok((bytes, fs::metadata(&path)?.permissions().mode())))
            .or_service(|| format!("could not read `{}`", path.display()))?;
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update(if mode & 0o111 == 0 { b"\0-" } else { b"\0x" });
        hash.update(Sha256::digest(bytes));
    }
    Ok(hash.finalize().into())
}

/// Copies the files into the folder that `place` names for their digest, unless they are there.
/// Returns both.
///
/// A file may be edited between its digest and its copy. So the copy is digested as well, and made
/// anew until both are the same. So is a copy that has changed since: it would run under a digest
/// that is not its own.
pub(crate) fn copy(
    source: &Path,
    files: &[PathBuf],
    place: impl Fn(&[u8; 32]) -> PathBuf,
) -> Result<([u8; 32], PathBuf), CommandError> {
    for _ in 0..COPIES {
        let before = digest(source, files)?;
        let folder = place(&before);
        let beside = |ending| folder.with_extension(format!("{}{ending}", std::process::id()));
        if folder.exists() {
            if is_copy(files, &before, &folder)? {
                return Ok((before, folder));
            }
            let changed = beside(".changed");
            fs::rename(&folder, &changed)?;
            fs::remove_dir_all(&changed)?;
        }
        let temporary = beside("");
        copy_into(source, files, &temporary)?;
        // Another process may have been faster; its copy is the same.
        if digest(&temporary, files)? == before && fs::rename(&temporary, &folder).is_ok() {
            return Ok((before, folder));
        }
        fs::remove_dir_all(&temporary)?;
    }
    Err(service(format!("`{}` changes all the time", source.display())))
}

/// Returns true if `folder` holds these files, with this digest, and no others.
fn is_copy(files: &[PathBuf], expected: &[u8; 32], folder: &Path) -> Result<bool, CommandError> {
    Ok(all_files(folder)? == files && digest(folder, files)? == *expected)
}

/// Returns all files of a copy, sorted. The link to packages that were installed for it is none.
pub(crate) fn all_files(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let mut walk = ignore::WalkBuilder::new(folder);
    walk.standard_filters(false);
    let mut files = Vec::new();
    for entry in walk.build() {
        let entry = entry.or_service(|| format!("could not read `{}`", folder.display()))?;
        let is_file = entry.file_type().is_some_and(|kind| !kind.is_dir());
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        if is_file && !(entry.path_is_symlink() && path == Path::new(INSTALLED)) {
            files.push(path.to_owned());
        }
    }
    files.sort();
    Ok(files)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_copy_is_what_its_digest_says_though_a_file_is_edited_meanwhile() {
        let (source, store) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let (file, files) = (source.path().join("h.py"), ["h.py".into()]);
        fs::write(&file, "old").expect("done");
        let old = digest(source.path(), &files).expect("done");
        let place = |digest: &[u8; 32]| {
            if *digest == old {
                fs::write(&file, "new").expect("done");
            }
            store.path().join(hex::encode(digest))
        };
        let (of_copy, folder) = copy(source.path(), &files, place).expect("done");
        assert_eq!(fs::read_to_string(folder.join("h.py")).expect("done"), "new");
        assert_eq!(digest(&folder, &files).expect("done"), of_copy);
        assert_eq!(fs::read_dir(store.path()).expect("done").count(), 1);
    }

    #[test]
    fn a_copy_that_was_changed_is_made_anew() {
        let top = tempfile::tempdir().expect("a folder");
        let (source, folder) = (top.path().join("own"), top.path().join("copy"));
        fs::create_dir_all(source.join("inner")).expect("created");
        fs::write(source.join("a.py"), "1").expect("written");
        fs::write(source.join("inner/b.py"), "2").expect("written");
        let files: Vec<PathBuf> = vec!["a.py".into(), "inner/b.py".into()];
        let copied = || copy(&source, &files, |_| folder.clone()).expect("copied");
        let whole = copied();
        symlink("/nowhere", folder.join(INSTALLED)).expect("linked");
        assert_eq!(copied(), whole);
        assert!(fs::symlink_metadata(folder.join(INSTALLED)).is_ok(), "nothing was made anew");

        let changes: [&dyn Fn(); 4] = [
            &|| fs::write(folder.join("a.py"), "9").expect("written"),
            &|| fs::write(folder.join(".hidden.pth"), "").expect("written"),
            &|| fs::remove_file(folder.join("inner/b.py")).expect("removed"),
            &|| symlink("/etc", folder.join("more")).expect("linked"),
        ];
        for change in changes {
            change();
            assert_eq!(copied(), whole);
            assert_eq!(all_files(&folder).expect("listed"), files);
            assert_eq!(fs::read_to_string(folder.join("a.py")).expect("read"), "1");
        }
    }
}
