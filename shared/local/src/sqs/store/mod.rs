//! Queues and messages in SQLite.
//!
//! A message is visible when its `visible_ms` has come. Sending with a delay, receiving and
//! changing the visibility all only set it. A receipt handle is good until the message is received
//! again.

mod messages;

use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::watch;

use super::error::SqsServerError;
use super::queue::QueueSettings;
use crate::s3::now_ms;

/// The version of the schema. It grows with every change, and an older program refuses a newer
/// file.
const FORMAT: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE queue (
        name       TEXT PRIMARY KEY,
        created_ms INTEGER NOT NULL,
        settings   TEXT NOT NULL
    ) STRICT;
    CREATE TABLE message (
        sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
        queue      TEXT NOT NULL REFERENCES queue (name) ON DELETE CASCADE,
        id         TEXT NOT NULL,
        body       TEXT NOT NULL,
        attributes TEXT NOT NULL,
        sent_ms    INTEGER NOT NULL,
        visible_ms INTEGER NOT NULL,
        received   INTEGER NOT NULL DEFAULT 0,
        first_ms   INTEGER NOT NULL DEFAULT 0,
        receipt    TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX visible ON message (queue, visible_ms);
";

/// A queue as it stands.
#[derive(Debug, Clone)]
pub(super) struct QueueState {
    pub(super) settings: QueueSettings,
    pub(super) created_ms: i64,
    pub(super) visible: i64,
    pub(super) in_flight: i64,
    pub(super) delayed: i64,
}

/// The queues of one server.
#[derive(Debug)]
pub(super) struct Store {
    connection: Mutex<Connection>,
    /// The start of the queues' URLs.
    url_prefix: String,
    /// Counts changes that may make a message visible sooner than a waiting receive expects.
    changed: watch::Sender<u64>,
}

impl Store {
    /// Opens the file and creates it if needed.
    pub(super) fn open(path: &Path, url_prefix: String) -> Result<Self, SqsServerError> {
        let connection = connect(path).map_err(|error| match error {
            SqsServerError::Index { source } => {
                SqsServerError::Open { path: path.to_owned(), source }
            }
            error => error,
        })?;
        Ok(Self { connection: Mutex::new(connection), url_prefix, changed: watch::Sender::new(0) })
    }

    /// Returns the URL of a queue.
    pub(super) fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.url_prefix)
    }

    /// Returns a receiver of the count of changes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Runs `work` on a thread that may block. Once begun it finishes, even if the caller is
    /// dropped.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, SqsServerError> + Send + 'static,
    ) -> Result<T, SqsServerError> {
        let store = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(SqsServerError::Interrupted),
            },
        }
    }

    /// Locks the store.
    ///
    /// A panic under the lock has rolled its transaction back, so the store is whole for the next
    /// caller.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock()
    }

    /// Creates a queue. One that exists with the same attributes is no error.
    pub(super) fn create_queue(
        &self,
        name: &str,
        settings: QueueSettings,
    ) -> Result<(), SqsServerError> {
        let connection = self.lock();
        match find(&connection, name) {
            Ok(found) if found == settings => Ok(()),
            Ok(_) => Err(SqsServerError::QueueNameExists { queue: name.to_owned() }),
            Err(SqsServerError::QueueDoesNotExist { .. }) => {
                let settings = serde_json::to_string(&settings)?;
                connection.execute(
                    "INSERT INTO queue (name, created_ms, settings) VALUES (?1, ?2, ?3)",
                    (name, now_ms(), settings),
                )?;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Changes the attributes of a queue.
    pub(super) fn set_settings(
        &self,
        name: &str,
        change: impl FnOnce(QueueSettings) -> Result<QueueSettings, SqsServerError>,
    ) -> Result<(), SqsServerError> {
        let connection = self.lock();
        let settings = serde_json::to_string(&change(find(&connection, name)?)?)?;
        connection.execute("UPDATE queue SET settings = ?2 WHERE name = ?1", (name, settings))?;
        Ok(())
    }

    /// Returns the names of queues that begin with `prefix`.
    pub(super) fn names(&self, prefix: &str) -> Result<Vec<String>, SqsServerError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT name FROM queue ORDER BY name")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        let names: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        Ok(names.into_iter().filter(|name| name.starts_with(prefix)).collect())
    }

    /// Returns the attributes of a queue.
    pub(super) fn settings(&self, name: &str) -> Result<QueueSettings, SqsServerError> {
        find(&self.lock(), name)
    }

    /// Returns the attributes of a queue and how many messages it has.
    pub(super) fn state(&self, name: &str) -> Result<QueueState, SqsServerError> {
        let connection = self.lock();
        let settings = find(&connection, name)?;
        forget_old(&connection, name, settings)?;
        let (visible, in_flight, delayed) = connection.query_row(
            "SELECT count(*) FILTER (WHERE visible_ms <= ?2),
                    count(*) FILTER (WHERE visible_ms > ?2 AND received > 0),
                    count(*) FILTER (WHERE visible_ms > ?2 AND received = 0)
             FROM message WHERE queue = ?1",
            (name, now_ms()),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let created_ms = connection.query_row(
            "SELECT created_ms FROM queue WHERE name = ?1",
            [name],
            |row| row.get(0),
        )?;
        Ok(QueueState { settings, created_ms, visible, in_flight, delayed })
    }

    /// Removes a queue with its messages.
    pub(super) fn delete_queue(&self, name: &str) -> Result<(), SqsServerError> {
        match self.lock().execute("DELETE FROM queue WHERE name = ?1", [name])? {
            0 => Err(SqsServerError::QueueDoesNotExist { queue: name.to_owned() }),
            _ => Ok(()),
        }
    }

    /// Removes the messages of a queue.
    pub(super) fn purge(&self, name: &str) -> Result<(), SqsServerError> {
        let connection = self.lock();
        find(&connection, name)?;
        connection.execute("DELETE FROM message WHERE queue = ?1", [name])?;
        Ok(())
    }
}

/// Returns the attributes of a queue. Fails if it does not exist.
fn find(connection: &Connection, name: &str) -> Result<QueueSettings, SqsServerError> {
    let settings: Option<String> = connection
        .prepare_cached("SELECT settings FROM queue WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    match settings {
        Some(settings) => Ok(serde_json::from_str(&settings)?),
        None => Err(SqsServerError::QueueDoesNotExist { queue: name.chars().take(200).collect() }),
    }
}

/// Removes messages that are older than the queue keeps them.
fn forget_old(
    connection: &Connection,
    name: &str,
    settings: QueueSettings,
) -> Result<(), SqsServerError> {
    let oldest = now_ms() - i64::from(settings.message_retention_period) * 1000;
    connection
        .prepare_cached("DELETE FROM message WHERE queue = ?1 AND sent_ms < ?2")?
        .execute((name, oldest))?;
    Ok(())
}

/// Opens the file, sets SQLite up and creates the tables.
fn connect(path: &Path) -> Result<Connection, SqsServerError> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > FORMAT {
        let path = path.to_owned();
        return Err(SqsServerError::NewerFormat { path, found, supported: FORMAT });
    }
    if found == 0 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.commit()?;
    }
    Ok(connection)
}
