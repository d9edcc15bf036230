//! Opens the store of S3 right after its last owner.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::account::{ACCOUNT_ID, REGION};
use crate::s3::{S3Server, S3ServerError};

/// How long the store may stay in use after its last owner ended or was killed.
const LAST_OWNER: Duration = Duration::from_secs(10);

/// Opens the store, waiting a little for the folder's last owner.
///
/// Its connections, or the system's cleaning up after it, may hold the store for a moment longer
/// than the folder.
pub(crate) async fn open_s3(path: &Path) -> Result<S3Server, S3ServerError> {
    let until = Instant::now() + LAST_OWNER;
    loop {
        match S3Server::open(path, REGION, ACCOUNT_ID) {
            Err(S3ServerError::InUse { .. }) if Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            result => return result,
        }
    }
}
