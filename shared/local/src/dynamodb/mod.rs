//! The embedded DynamoDB: `dynoxide` on a file or in memory, in this process or on loopback.
//!
//! Of `dynoxide` the database is used and not its server: that one serves any web page, and its
//! routes cannot be put behind a gate. Streams are never enabled, because every write would then
//! scan all stream records. Requests are not counted here: count them in the client.

mod operation;
mod wire;

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use dynoxide::Database;
use sidestep_admission::{Gate, Limits, Service};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::guard::{Guards, in_front};
use crate::transport;

/// How many requests are worked on at once. The database lets one at a time write to the disk.
const AT_ONCE: usize = 2;

/// A failure of the embedded DynamoDB.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DynamoDbServerError {
    #[error("could not open {place}")]
    Open { place: String, source: dynoxide::DynoxideError },
}

impl DynamoDbServerError {
    /// Returns true if the disk is full.
    ///
    /// `dynoxide` has no variant for it and passes on SQLite's words.
    pub fn is_disk_full(&self) -> bool {
        let Self::Open { source, .. } = self;
        source.to_string().contains("disk is full")
    }
}

/// An embedded DynamoDB. Clones share it.
#[derive(Clone)]
pub struct DynamoDbServer {
    database: Database,
    turns: Arc<Semaphore>,
    guards: Guards,
}

impl std::fmt::Debug for DynamoDbServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DynamoDbServer").finish_non_exhaustive()
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
        Ok(Self { database, turns: Arc::new(Semaphore::new(AT_ONCE)), guards: Guards::default() })
    }

    /// Returns the server behind a guard.
    pub(crate) fn guarded(self, guards: &Guards) -> Self {
        Self { guards: guards.clone(), ..self }
    }

    /// Serves every key until `shutdown`, then finishes the requests that are running.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        self.serve_behind(Gate::open(Service::DynamoDb), listener, shutdown).await
    }

    /// Does [`DynamoDbServer::serve`] for the requests that the gate lets in.
    pub(crate) async fn serve_behind(
        &self,
        gate: Gate,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let (limits, answer) = (Limits::default(), self.service());
        sidestep_admission::serve(listener, limits, gate, answer, shutdown).await
    }

    /// Returns the same protocol for requests of this process.
    pub(crate) fn service(&self) -> transport::Service {
        let server = self.clone();
        let answer: transport::Service = Arc::new(move |request| {
            let DynamoDbServer { database, turns, .. } = server.clone();
            Box::pin(async move { wire::answer(database, &turns, request).await })
        });
        in_front(Service::DynamoDb, self.guards.clone(), answer)
    }
}
