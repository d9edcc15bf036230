//! The files that hold objects too large for the index.
//!
//! A blob has a random name, is written once, synced, and only then named by a committed row of the
//! index. The commit makes it part of the store, so no rename is needed: a file that no row names
//! is garbage, which its writer removes when it gives up, or the next start after a crash. A reader
//! that has a blob open keeps reading it after its removal. Names never come from object keys.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// The folder of blobs.
pub(crate) struct Blobs {
    dir: PathBuf,
    /// The folder itself, open so that new names can be synced.
    handle: File,
}

/// A blob that no row names yet. Dropping the value removes the file.
#[derive(Debug)]
pub(crate) struct NewBlob {
    name: String,
    path: PathBuf,
    kept: bool,
}

impl Blobs {
    /// Opens the folder and creates it if needed.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self { dir: dir.to_owned(), handle: File::open(dir)? })
    }

    /// Creates an empty blob, open for reading and writing.
    pub(crate) fn create(&self) -> io::Result<(NewBlob, File)> {
        let blob = self.unused();
        let file = File::options().read(true).write(true).create_new(true).open(&blob.path)?;
        Ok((blob, file))
    }

    /// Gives the content of `name` a second name, without a copy where the file system allows it.
    pub(crate) fn duplicate(&self, name: &str) -> io::Result<NewBlob> {
        let (source, blob) = (self.dir.join(name), self.unused());
        if fs::hard_link(&source, &blob.path).is_err() {
            fs::copy(&source, &blob.path)?;
            File::open(&blob.path)?.sync_all()?;
        }
        self.handle.sync_all()?;
        Ok(blob)
    }

    /// Makes the content of a blob, and its name, survive a power loss.
    pub(crate) fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        self.handle.sync_all()
    }

    /// Opens a blob for reading.
    pub(crate) fn read(&self, name: &str) -> io::Result<File> {
        File::open(self.dir.join(name))
    }

    /// Removes a blob that no row names any more. If that fails, the next start removes it.
    pub(crate) fn remove(&self, name: &str) {
        if let Err(error) = fs::remove_file(self.dir.join(name)) {
            tracing::debug!(name, %error, "could not remove a replaced blob");
        }
    }

    /// Removes every file that is not in `named`, which a crash left behind. Returns how many.
    pub(crate) fn sweep(&self, named: &HashSet<String>) -> io::Result<usize> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| named.contains(name)) {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Makes up a name that no blob has.
    fn unused(&self) -> NewBlob {
        let name = Uuid::new_v4().simple().to_string();
        NewBlob { path: self.dir.join(&name), name, kept: false }
    }
}

impl NewBlob {
    /// Returns the name of the file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Keeps the file, because a committed row names it.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if !self.kept {
            // Best effort: the next start removes a file that stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}
