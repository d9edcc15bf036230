//! The embedded DynamoDB: `dynoxide` on a file or in memory, served on loopback.
//!
//! Streams are never enabled, because every write would then scan all stream records. Requests are
//! not counted here, because `dynoxide` keeps its routes to itself: count them in the client.

use std::future::Future;
use std::path::Path;

use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// A failure of the embedded DynamoDB.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DynamoDbServerError {
    #[error("could not open {place}")]
    Open { place: String, source: dynoxide::DynoxideError },
    #[error("could not serve DynamoDB: {reason}")]
    Serve { reason: String },
}

impl DynamoDbServerError {
    /// Returns true if the disk is full.
    ///
    /// `dynoxide` has no variant for it and passes on SQLite's words.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Open { source, .. } => source.to_string().contains("disk is full"),
            Self::Serve { reason } => reason.contains("disk is full"),
        }
    }
}

/// An embedded DynamoDB. Clones share it.
#[derive(Clone)]
pub struct DynamoDbServer {
    database: Database,
}

impl std::fmt::Debug for DynamoDbServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DynamoDbServer").finish_non_exhaustive()
    }
}

/// A DynamoDB server on a thread of its own. When dropped it ends at once, as in a crash.
#[derive(Debug)]
pub(crate) struct DynamoDbThread {
    runtime: Option<Runtime>,
}

impl Drop for DynamoDbThread {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The place where this is dropped may not be allowed to wait. A request that runs takes
            // effect as a whole or not at all.
            runtime.shutdown_background();
        }
    }
}

impl DynamoDbServer {
    /// Opens the file at `path` and creates it if needed, or opens a database in memory.
    pub fn open(path: Option<&Path>) -> Result<Self, DynamoDbServerError> {
        let (place, database) = match path {
            Some(path) => (format!("`{}`", path.display()), Database::new(&path.to_string_lossy())),
            None => ("a database in memory".to_owned(), Database::memory()),
        };
        let database = database.map_err(|source| DynamoDbServerError::Open { place, source })?;
        Ok(Self { database })
    }

    /// Serves the DynamoDB protocol until `shutdown`, then finishes the requests that are running.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), DynamoDbServerError> {
        let database = self.database.clone();
        dynoxide::server::serve_with_shutdown(listener, database, shutdown)
            .await
            .map_err(|reason| DynamoDbServerError::Serve { reason })
    }

    /// Serves the DynamoDB protocol on a thread of its own until the result is dropped.
    ///
    /// A write blocks its thread until it is on the disk, and nothing else should wait for that.
    pub(crate) fn serve_on_thread(&self, listener: TcpListener) -> std::io::Result<DynamoDbThread> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("dynamodb").enable_all().build()?;
        let listener = listener.into_std()?;
        let server = self.clone();
        runtime.spawn(async move {
            let served = match TcpListener::from_std(listener) {
                Ok(listener) => server.serve(listener, std::future::pending()).await,
                Err(error) => Err(DynamoDbServerError::Serve { reason: error.to_string() }),
            };
            if let Err(error) = served {
                tracing::error!(%error, "the embedded DynamoDB ended");
            }
        });
        Ok(DynamoDbThread { runtime: Some(runtime) })
    }
}
