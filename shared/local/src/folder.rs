//! The folder `.sidestep/`: where the embedded cloud keeps its state, and which process owns it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The layout of the folder that this program writes and reads.
const FOLDER_VERSION: u32 = 1;

/// The servers' addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    #[serde(rename = "S3")]
    pub s3: String,
    #[serde(rename = "DynamoDB")]
    pub dynamodb: String,
    #[serde(rename = "Lambda")]
    pub lambda: String,
    /// The SQS server; absent if the serving process is of a version that had none.
    #[serde(rename = "SQS", default, skip_serializing_if = "Option::is_none")]
    pub sqs: Option<String>,
}

/// Why a state folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    #[error("could not {operation} `{}`", path.display())]
    Io { operation: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "`{}` was written by a newer sidestep (layout {found}, this one knows up to {FOLDER_VERSION})",
        path.display()
    )]
    Newer { path: PathBuf, found: u32 },
    #[error("invalid `{}`: expected a layout number", path.display())]
    Unreadable { path: PathBuf },
    /// Another process serves from the folder.
    #[error("another sidestep is using `{}`", path.display())]
    InUse { path: PathBuf },
}

/// A state folder that this process owns until the value is dropped.
///
/// The system frees the folder when the process dies.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    /// The lock file, which is held and not read: the lock ends with it.
    lock: File,
}

impl StateFolder {
    /// Takes the folder and creates it if needed. Fails at once if it is [in
    /// use](FolderError::InUse).
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let folder = Self { path: path.to_owned(), lock: lock_file(path)? };
        match folder.lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::InUse { path: path.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(io_error("lock", path)(source)),
        }
        if !has_version(path)? {
            folder.write("version", &format!("{FOLDER_VERSION}\n"))?;
        }
        folder.forget_endpoints()?;
        Ok(folder)
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the servers' addresses to the folder, so that other processes find them.
    pub fn publish_endpoints(&self, endpoints: &Endpoints) -> Result<(), FolderError> {
        let text = serde_json::to_string(endpoints).expect("strings always serialize");
        self.write(ENDPOINTS, &text)
    }

    /// Writes a file as a whole or not at all, also on a disk that is full.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let (path, temporary) = (self.path.join(name), self.path.join(format!("{name}.new")));
        fs::write(&temporary, text).map_err(io_error("write", &temporary))?;
        fs::rename(&temporary, &path).map_err(io_error("write", &path))
    }

    /// Removes the servers' addresses: no server of this folder is running any more.
    pub fn forget_endpoints(&self) -> Result<(), FolderError> {
        let path = self.path.join(ENDPOINTS);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }
}

/// The file of the servers' addresses.
const ENDPOINTS: &str = "endpoints.json";

/// Returns the servers of another process that owns the folder and has published them.
pub fn published_endpoints(path: &Path) -> Option<Endpoints> {
    // The file outlives a process that was killed, so the lock decides.
    match lock_file(path).ok()?.try_lock() {
        Err(TryLockError::WouldBlock) => {}
        _ => return None,
    }
    serde_json::from_str(&fs::read_to_string(path.join(ENDPOINTS)).ok()?).ok()
}

/// Checks that the folder could be used, before anything is written there.
///
/// Creates it if needed. It does not matter whether another process owns the folder now.
pub fn check(path: &Path) -> Result<(), FolderError> {
    lock_file(path)?;
    has_version(path).map(drop)
}

/// Returns true if the folder has been used before. Fails if its layout is unknown.
fn has_version(folder: &Path) -> Result<bool, FolderError> {
    let path = folder.join("version");
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim().parse::<u32>() {
            Ok(FOLDER_VERSION) => Ok(true),
            Ok(found) => Err(FolderError::Newer { path: folder.to_owned(), found }),
            Err(_) => Err(FolderError::Unreadable { path }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("read", &path)(error)),
    }
}

/// Opens the lock file, creating it and the folder if needed.
fn lock_file(folder: &Path) -> Result<File, FolderError> {
    fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    let path = folder.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    file.map_err(io_error("open", &path))
}

fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { operation, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateFolder::open(folder.path()).unwrap();
        assert!(matches!(StateFolder::open(folder.path()), Err(FolderError::InUse { .. })));
        drop(first);
        StateFolder::open(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_of_a_newer_version_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("version"), "7\n").unwrap();
        let error = StateFolder::open(folder.path()).unwrap_err();
        assert!(matches!(error, FolderError::Newer { found: 7, .. }), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join("version")).unwrap(), "7\n");
    }

    #[test]
    fn a_folder_of_a_newer_version_is_known_before_anything_is_put_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("version"), "7\n").unwrap();
        assert!(matches!(check(folder.path()), Err(FolderError::Newer { found: 7, .. })));

        let unused = tempfile::tempdir().unwrap();
        check(unused.path()).unwrap();
        let _owner = StateFolder::open(unused.path()).unwrap();
        check(unused.path()).unwrap();
    }

    #[test]
    fn a_folder_below_a_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let error = check(&folder.path().join("file/state")).unwrap_err();
        assert!(matches!(error, FolderError::Io { operation: "create", .. }), "{error}");
    }

    #[test]
    fn endpoints_count_only_while_their_owner_lives() {
        let path = tempfile::tempdir().unwrap();
        let address = |port: u16| format!("http://127.0.0.1:{port}");
        let (s3, dynamodb, lambda) = (address(1), address(2), address(3));
        let endpoints = Endpoints { s3, dynamodb, lambda, sqs: Some(address(4)) };
        let owner = StateFolder::open(path.path()).unwrap();
        assert_eq!(published_endpoints(path.path()), None);
        owner.publish_endpoints(&endpoints).unwrap();
        assert_eq!(published_endpoints(path.path()), Some(endpoints));
        drop(owner);
        assert_eq!(published_endpoints(path.path()), None);
    }

    #[test]
    fn endpoints_of_a_version_without_sqs_are_read() {
        let path = tempfile::tempdir().unwrap();
        let owner = StateFolder::open(path.path()).unwrap();
        owner.write(ENDPOINTS, r#"{"S3":"a","DynamoDB":"b","Lambda":"c"}"#).unwrap();
        let found = published_endpoints(path.path()).unwrap();
        assert_eq!((found.lambda.as_str(), found.sqs), ("c", None));
    }
}
