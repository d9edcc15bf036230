//! The folder `.sidestep/`: where the embedded cloud keeps its state, and which process owns it.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sidestep_admission::{Credentials, InvalidCredentials};

/// The layout of the folder that this program writes and reads.
const FOLDER_VERSION: u32 = 1;

/// The servers' addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// All services on one port; absent if the serving process is of a version that had none.
    #[serde(rename = "Aws", default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<String>,
    #[serde(rename = "S3")]
    pub s3: String,
    #[serde(rename = "DynamoDB")]
    pub dynamodb: String,
    #[serde(rename = "Lambda")]
    pub lambda: String,
    /// The SQS server; absent if the serving process is of a version that had none.
    #[serde(rename = "SQS", default, skip_serializing_if = "Option::is_none")]
    pub sqs: Option<String>,
    /// The key that the servers accept. It has a file of its own.
    #[serde(skip)]
    pub credentials: Credentials,
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
    #[error("invalid `{}`: delete the file, and a new one is made", path.display())]
    Credentials { path: PathBuf, source: InvalidCredentials },
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
        if credentials(path)?.is_none() {
            folder.write(CREDENTIALS, &Credentials::generate().to_text())?;
        }
        Ok(folder)
    }

    /// Returns the key that the servers of this folder accept.
    pub fn credentials(&self) -> Result<Credentials, FolderError> {
        let found = credentials(&self.path)?;
        Ok(found.unwrap_or_default())
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
        write_private(&temporary, text).map_err(io_error("write", &temporary))?;
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
/// The file of the key that the servers accept, as AWS's tools read it.
pub const CREDENTIALS: &str = "credentials";
/// What other users of the machine may do with the folder: nothing.
const PRIVATE: u32 = 0o700;

/// Returns the servers of another process that owns the folder and has published them.
pub fn published_endpoints(path: &Path) -> Option<Endpoints> {
    // The file outlives a process that was killed, so the lock decides.
    match lock_file(path).ok()?.try_lock() {
        Err(TryLockError::WouldBlock) => {}
        _ => return None,
    }
    let text = fs::read_to_string(path.join(ENDPOINTS)).ok()?;
    let endpoints: Endpoints = serde_json::from_str(&text).ok()?;
    // A process of an older version made none, and checks none.
    let credentials = credentials(path).ok()?.unwrap_or_default();
    Some(Endpoints { credentials, ..endpoints })
}

/// Returns the key of a folder, if it has one.
fn credentials(folder: &Path) -> Result<Option<Credentials>, FolderError> {
    let path = folder.join(CREDENTIALS);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", &path)(error)),
    };
    let read = Credentials::parse(&text);
    read.map(Some).map_err(|source| FolderError::Credentials { path, source })
}

/// Writes a file that only this user may read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let options = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).clone();
    options.open(path)?.write_all(text.as_bytes())
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
    close(folder)?;
    let path = folder.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    file.map_err(io_error("open", &path))
}

/// Closes a folder to other users, also one that an older version made open.
///
/// Executions' secrets, logs and objects are in it. A folder of another user is left as it is.
fn close(folder: &Path) -> Result<(), FolderError> {
    let metadata = fs::metadata(folder).map_err(io_error("read", folder))?;
    if metadata.permissions().mode() & 0o777 == PRIVATE
        || metadata.uid() != rustix::process::geteuid().as_raw()
    {
        return Ok(());
    }
    fs::set_permissions(folder, Permissions::from_mode(PRIVATE)).map_err(io_error("close", folder))
}

pub(crate) fn io_error(
    operation: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> FolderError {
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
    fn a_folder_is_closed_to_other_users_and_keeps_its_key() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let key = StateFolder::open(&path).unwrap().credentials().unwrap();
        assert_eq!((mode(&path), mode(&path.join(CREDENTIALS))), (0o700, 0o600));
        assert_eq!(StateFolder::open(&path).unwrap().credentials().unwrap(), key);
        assert_ne!(key, Credentials::default());
        fs::write(path.join(CREDENTIALS), "[default]\n").unwrap();
        assert!(matches!(StateFolder::open(&path), Err(FolderError::Credentials { .. })));
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
        let owner = StateFolder::open(path.path()).unwrap();
        let credentials = owner.credentials().unwrap();
        let (aws, sqs) = (Some(address(5)), Some(address(4)));
        let endpoints = Endpoints { aws, s3, dynamodb, lambda, sqs, credentials };
        assert_eq!(published_endpoints(path.path()), None);
        owner.publish_endpoints(&endpoints).unwrap();
        assert_eq!(published_endpoints(path.path()), Some(endpoints));
        drop(owner);
        assert_eq!(published_endpoints(path.path()), None);
    }

    #[test]
    fn endpoints_of_a_version_without_all_services_are_read() {
        let path = tempfile::tempdir().unwrap();
        let owner = StateFolder::open(path.path()).unwrap();
        owner.write(ENDPOINTS, r#"{"S3":"a","DynamoDB":"b","Lambda":"c"}"#).unwrap();
        let found = published_endpoints(path.path()).unwrap();
        assert_eq!((found.lambda.as_str(), found.sqs, found.aws), ("c", None, None));
    }
}
