//! The code of a function as it is uploaded: a zip, unpacked into a folder named by its content.
//!
//! The times in a zip do not count, so the same files make the same code.

use std::fs::{self, File};
use std::io::{Cursor, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::refusal::Refusal;

/// The largest unpacked code, as at AWS.
const UNPACKED_BYTES: u64 = 262_144_000;
/// The longest list of files.
const FILES: usize = 100_000;

/// Unpacked code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unpacked {
    pub(super) folder: PathBuf,
    pub(super) digest: [u8; 32],
}

/// Unpacks a zip below `store`, unless the same code is there.
pub(super) fn unpack(bytes: &[u8], store: &Path) -> Result<Unpacked, Refusal> {
    let files = read(bytes)?;
    let digest = digest(&files);
    let folder = store.join(format!("zip-{}", hex::encode(digest)));
    if holds(&folder, &files) {
        return Ok(Unpacked { folder, digest });
    }
    let failed = |error: std::io::Error| Refusal::Service(format!("could not unpack: {error}"));
    fs::create_dir_all(store).map_err(failed)?;
    let temporary = tempfile::tempdir_in(store).map_err(failed)?;
    for file in &files {
        file.write(temporary.path()).map_err(failed)?;
    }
    if folder.exists() {
        // Changed since: it would run as what it is not.
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::rename(temporary.keep(), &folder).map_err(failed)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    Ok(Unpacked { folder, digest })
}

/// A file of a zip.
struct Unzipped {
    path: PathBuf,
    is_program: bool,
    content: Vec<u8>,
}

impl Unzipped {
    fn write(&self, folder: &Path) -> std::io::Result<()> {
        let path = folder.join(&self.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = File::create(&path)?;
        file.write_all(&self.content)?;
        let mode = if self.is_program { 0o755 } else { 0o644 };
        file.set_permissions(fs::Permissions::from_mode(mode))
    }
}

/// Reads all files, in the order of their names.
fn read(bytes: &[u8]) -> Result<Vec<Unzipped>, Refusal> {
    let invalid = |text: &str| Refusal::InvalidParameter(text.to_owned());
    let broken = || {
        invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
    };
    if bytes.is_empty() {
        return Err(invalid("Uploaded file must be a non-empty zip"));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| broken())?;
    if archive.len() > FILES {
        return Err(broken());
    }
    let (mut files, mut left) = (Vec::new(), UNPACKED_BYTES);
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|_| broken())?;
        if entry.is_dir() {
            continue;
        }
        // A name that leads out of the folder is none.
        let path = entry.enclosed_name().ok_or_else(broken)?;
        if entry.is_symlink() {
            return Err(invalid(
                "The embedded Lambda unpacks no symbolic links: zip what they lead to.",
            ));
        }
        let is_program = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let mut content = Vec::new();
        entry.take(left + 1).read_to_end(&mut content).map_err(|_| broken())?;
        left = left.checked_sub(content.len() as u64).ok_or_else(|| {
            invalid(&format!("Unzipped size must be smaller than {UNPACKED_BYTES} bytes"))
        })?;
        files.push(Unzipped { path, is_program, content });
    }
    if files.is_empty() {
        return Err(invalid("Uploaded file must be a non-empty zip"));
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    let is_twice = |pair: &[Unzipped]| pair[1].path.starts_with(&pair[0].path);
    if files.windows(2).any(is_twice) {
        return Err(broken());
    }
    Ok(files)
}

fn digest(files: &[Unzipped]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.path.as_os_str().as_encoded_bytes());
        hash.update(if file.is_program { b"\0x" } else { b"\0-" });
        hash.update(Sha256::digest(&file.content));
    }
    hash.finalize().into()
}

/// Returns true if the folder has these files and no others.
fn holds(folder: &Path, files: &[Unzipped]) -> bool {
    let is_same = |file: &Unzipped| {
        let path = folder.join(&file.path);
        let is_program = fs::symlink_metadata(&path).is_ok_and(|found| {
            found.is_file() && (found.permissions().mode() & 0o111 != 0) == file.is_program
        });
        let has_mode = if file.is_program { is_program } else { path.is_file() };
        has_mode && fs::read(&path).is_ok_and(|content| content == file.content)
    };
    count(folder) == Some(files.len()) && files.iter().all(is_same)
}

/// Returns how many files are below a folder.
fn count(folder: &Path) -> Option<usize> {
    let mut files = 0;
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        files += if is_folder { count(&entry.path())? } else { 1 };
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zip(files: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            writer.start_file(*name, SimpleFileOptions::default()).expect("begun");
            writer.write_all(text.as_bytes()).expect("written");
        }
        writer.finish().expect("finished").into_inner()
    }

    #[test]
    fn a_zip_is_unpacked_once_and_a_changed_folder_anew() {
        let store = tempfile::tempdir().expect("a folder");
        let files = [("h.py", "one"), ("inner/x.txt", "two")];
        let first = unpack(&zip(&files), store.path()).expect("unpacked");
        let read = || fs::read_to_string(first.folder.join("h.py")).expect("read");
        assert_eq!(read(), "one");
        fs::write(first.folder.join("h.py"), "other").expect("written");
        assert_eq!(unpack(&zip(&files), store.path()).as_ref(), Ok(&first));
        assert_eq!(read(), "one");
        fs::write(first.folder.join("more.py"), "").expect("written");
        assert_eq!(unpack(&zip(&files), store.path()).as_ref(), Ok(&first));
        assert_eq!(count(&first.folder), Some(2));
        let edited = unpack(&zip(&[("h.py", "new")]), store.path()).expect("unpacked");
        assert_ne!(edited.digest, first.digest);
    }

    #[test]
    fn what_is_no_code_is_refused_and_writes_nothing() {
        let store = tempfile::tempdir().expect("a folder");
        for bytes in [
            Vec::new(),
            b"no zip".to_vec(),
            zip(&[]),
            zip(&[("../out.py", "x")]),
            zip(&[("/etc/x.py", "x"), ("../../y", "y")]),
        ] {
            let refusal = unpack(&bytes, store.path());
            assert!(matches!(refusal, Err(Refusal::InvalidParameter(_))), "{refusal:?}");
        }
        assert_eq!(count(store.path()), Some(0));
    }
}
