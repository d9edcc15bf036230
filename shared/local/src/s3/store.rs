//! The store behind the wire: the index, the blobs, and the number of events that wait.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::blob::Blobs;
use super::error::S3ServerError;
use super::index::Index;
use crate::events::FunctionNotification;

/// One store and its parts.
pub(crate) struct Store {
    pub(crate) index: Index,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) region: String,
    pub(crate) account_id: String,
    /// How many events the outbox holds; the dispatcher and callers that drain it watch this.
    pub(crate) undelivered: watch::Sender<usize>,
    /// The lock file, held for the store's life: the lock ends with the process, however it ends.
    _lock: File,
}

impl Store {
    /// Opens or creates the store below `dir`, and removes what a crash left behind.
    pub(crate) fn open(dir: &Path, region: &str, account_id: &str) -> Result<Self, S3ServerError> {
        std::fs::create_dir_all(dir).map_err(S3ServerError::file("create the folder"))?;
        let lock = lock(dir)?;
        let index = Index::open(&dir.join("index.sqlite"))?;
        let blobs =
            Blobs::open(&dir.join("blobs")).map_err(S3ServerError::file("open the blobs"))?;
        let removed = blobs
            .sweep(&index.blobs()?)
            .map_err(S3ServerError::file("remove blobs that nothing names"))?;
        if removed > 0 {
            tracing::info!(removed, "removed blobs of interrupted uploads");
        }
        let undelivered = watch::Sender::new(index.undelivered_count()?);
        Ok(Self {
            index,
            blobs: Arc::new(blobs),
            region: region.to_owned(),
            account_id: account_id.to_owned(),
            undelivered,
            _lock: lock,
        })
    }

    /// Creates a bucket, unless it exists, with these notifications and no others.
    pub(crate) fn create_notifying_bucket(
        &self,
        bucket: &str,
        notifications: &[FunctionNotification],
    ) -> Result<(), S3ServerError> {
        check_events(notifications)?;
        self.index.create_notifying_bucket(bucket, notifications, now_ms())
    }

    /// Replaces a bucket's notifications, if S3 knows every event that they ask for.
    pub(crate) fn set_notifications(
        &self,
        bucket: &str,
        notifications: &[FunctionNotification],
    ) -> Result<(), S3ServerError> {
        check_events(notifications)?;
        self.index.set_notifications(bucket, notifications)
    }

    /// Runs `work` on a thread that may block on the disk.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Store) -> Result<T, S3ServerError> + Send + 'static,
    ) -> Result<T, S3ServerError> {
        let store = Arc::clone(self);
        unblock(move || work(&store)).await
    }
}

/// Fails if notifications ask for an event that S3 does not have.
fn check_events(notifications: &[FunctionNotification]) -> Result<(), S3ServerError> {
    match notifications.iter().find_map(FunctionNotification::unknown_event) {
        Some(event) => Err(S3ServerError::UnknownEvent { event: event.to_owned() }),
        None => Ok(()),
    }
}

/// Locks the folder for this process.
fn lock(dir: &Path) -> Result<File, S3ServerError> {
    let path = dir.join("lock");
    let file = File::create(path).map_err(S3ServerError::file("create the lock file"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(S3ServerError::InUse { dir: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(S3ServerError::file("lock the folder")(error))
        }
    }
}

/// Runs `work` on a thread that may block. Once begun it finishes, even if the caller is dropped.
pub(crate) async fn unblock<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, S3ServerError> + Send + 'static,
) -> Result<T, S3ServerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(S3ServerError::Interrupted),
        },
    }
}

/// Returns the time in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    milliseconds(OffsetDateTime::now_utc())
}

/// Converts a time to milliseconds since 1970.
pub(crate) fn milliseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// Converts milliseconds since 1970 to a time. A number that no calendar holds becomes 1970.
pub(crate) fn timestamp(milliseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
