//! Failures of the embedded S3, and how S3 reports them on the wire.

use std::io;
use std::path::PathBuf;

use s3s::{S3Error, S3ErrorCode};

/// A failure of the embedded S3. On the wire it becomes S3's own error code and status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum S3ServerError {
    /// The folder is locked: one process at a time owns a store.
    #[error("`{}` is in use by another process", dir.display())]
    InUse { dir: PathBuf },
    /// The index has a format that this version does not know.
    #[error(
        "`{}` was written by a newer sidestep (format {found}, this one knows up to {supported})",
        path.display()
    )]
    NewerFormat { path: PathBuf, found: i64, supported: i64 },
    /// The index is not an SQLite file, or a damaged one.
    #[error("could not open `{}`", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("bucket name `{bucket}` is not valid")]
    InvalidBucketName { bucket: String },
    #[error("bucket `{bucket}` does not exist")]
    NoSuchBucket { bucket: String },
    #[error("bucket `{bucket}` exists already and is yours")]
    BucketAlreadyOwnedByYou { bucket: String },
    #[error("bucket `{bucket}` is not empty")]
    BucketNotEmpty { bucket: String },
    #[error("object `{key}` does not exist in bucket `{bucket}`")]
    NoSuchKey { bucket: String, key: String },
    #[error("multipart upload `{upload_id}` does not exist; it may be completed or aborted")]
    NoSuchUpload { upload_id: String },
    /// `If-Match` or `If-None-Match` did not hold when the write was about to commit.
    #[error("a precondition on object `{key}` did not hold")]
    PreconditionFailed { key: String },
    /// The name of an event that S3 does not define.
    #[error("event `{event}` is not an S3 event that can be notified")]
    UnknownEvent { event: String },
    #[error("the disk is full")]
    DiskFull { source: Box<dyn std::error::Error + Send + Sync> },
    #[error("could not {action}")]
    File { action: &'static str, source: io::Error },
    #[error("the index failed")]
    Index { source: rusqlite::Error },
    /// A row of the index that does not parse: another program changed the file.
    #[error("the index holds a row that cannot be read")]
    Corrupt { source: serde_json::Error },
    /// The runtime is shutting down.
    #[error("the operation was interrupted")]
    Interrupted,
}

impl S3ServerError {
    /// Returns a wrapper for failed file operations; `action` completes "could not ...".
    pub(crate) fn file(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { source: source.into() }
            }
            _ => Self::File { action, source },
        }
    }

    /// Returns S3's code for the failure.
    fn code(&self) -> S3ErrorCode {
        match self {
            Self::InvalidBucketName { .. } => S3ErrorCode::InvalidBucketName,
            Self::NoSuchBucket { .. } => S3ErrorCode::NoSuchBucket,
            Self::BucketAlreadyOwnedByYou { .. } => S3ErrorCode::BucketAlreadyOwnedByYou,
            Self::BucketNotEmpty { .. } => S3ErrorCode::BucketNotEmpty,
            Self::NoSuchKey { .. } => S3ErrorCode::NoSuchKey,
            Self::NoSuchUpload { .. } => S3ErrorCode::NoSuchUpload,
            Self::PreconditionFailed { .. } => S3ErrorCode::PreconditionFailed,
            Self::UnknownEvent { .. } => S3ErrorCode::InvalidArgument,
            Self::DiskFull { .. } => S3ErrorCode::Custom("InsufficientStorage".into()),
            _ => S3ErrorCode::InternalError,
        }
    }
}

impl From<rusqlite::Error> for S3ServerError {
    fn from(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull { source: source.into() },
            _ => Self::Index { source },
        }
    }
}

impl From<serde_json::Error> for S3ServerError {
    fn from(source: serde_json::Error) -> Self {
        Self::Corrupt { source }
    }
}

impl From<S3ServerError> for S3Error {
    fn from(error: S3ServerError) -> Self {
        let mut answer = S3Error::with_message(error.code(), error.to_string());
        if matches!(error, S3ServerError::DiskFull { .. }) {
            // Not a status that SDKs retry, because the disk will be as full the next time.
            answer.set_status_code(axum::http::StatusCode::INSUFFICIENT_STORAGE);
        }
        answer.set_source(Box::new(error));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_status_507_wherever_it_shows() {
        let file = S3ServerError::file("write")(io::ErrorKind::StorageFull.into());
        let index = S3ServerError::from(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
            None,
        ));
        for error in [file, index] {
            let answer = S3Error::from(error);
            assert_eq!(answer.status_code().map(|status| status.as_u16()), Some(507));
        }
    }
}
