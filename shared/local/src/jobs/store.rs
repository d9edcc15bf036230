//! The store of jobs: one SQLite file in the state folder.
//!
//! Commits survive the end of this process. A power loss may undo the last ones; then a job runs
//! again, or is not known any more, and never looks as if it had succeeded.

use std::path::Path;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde_json::Value;

use super::error::JobsError;
use super::kind::JobKind;
use super::record::{Record, State};
use super::registry::Resources;
use crate::s3::now_ms;

/// The layout of the file that this program writes and reads.
const FORMAT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE job (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    request TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE resource (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    members TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE tag (
    arn TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (arn, key)
) WITHOUT ROWID;
";

const COLUMNS: &str = "kind, name, request, state, created_ms, modified_ms";

/// The open store.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the file, and creates it if needed.
    pub(crate) fn open(path: &Path) -> Result<Self, JobsError> {
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found > FORMAT {
            let path = path.to_owned();
            return Err(JobsError::NewerFormat { path, found, supported: FORMAT });
        }
        if found == 0 {
            let transaction = connection.transaction()?;
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            transaction.commit()?;
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Creates a job with its tags. Returns false if the name is taken.
    pub(crate) fn create(
        &self,
        record: &Record,
        tags: &[(String, String)],
    ) -> Result<bool, JobsError> {
        let mut connection = self.connection.lock();
        let transaction = connection.transaction()?;
        let created = transaction.execute(
            "INSERT OR IGNORE INTO job (kind, name, created_ms, modified_ms, request, state)
             VALUES (?1, ?2, ?3, ?3, ?4, ?5)",
            (
                record.kind.stored(),
                &record.name,
                record.created_ms,
                record.request.to_string(),
                serde_json::to_string(&record.state)?,
            ),
        )?;
        if created == 0 {
            return Ok(false);
        }
        put_tags(&transaction, &record.arn(), tags)?;
        transaction.commit()?;
        Ok(true)
    }

    /// Returns a job.
    pub(crate) fn get(&self, kind: JobKind, name: &str) -> Result<Option<Record>, JobsError> {
        let connection = self.connection.lock();
        find(&connection, kind, name)
    }

    /// Changes the state of a job and returns it. A job that is not there stays so.
    pub(crate) fn update(
        &self,
        kind: JobKind,
        name: &str,
        change: impl FnOnce(&mut State),
    ) -> Result<Option<Record>, JobsError> {
        let mut connection = self.connection.lock();
        let transaction = connection.transaction()?;
        let Some(mut record) = find(&transaction, kind, name)? else { return Ok(None) };
        change(&mut record.state);
        record.modified_ms = now_ms();
        transaction.execute(
            "UPDATE job SET state = ?3, modified_ms = ?4 WHERE kind = ?1 AND name = ?2",
            (kind.stored(), name, serde_json::to_string(&record.state)?, record.modified_ms),
        )?;
        transaction.commit()?;
        Ok(Some(record))
    }

    /// Removes a job and its tags.
    pub(crate) fn delete(&self, kind: JobKind, name: &str) -> Result<(), JobsError> {
        let mut connection = self.connection.lock();
        let transaction = connection.transaction()?;
        transaction
            .execute("DELETE FROM job WHERE kind = ?1 AND name = ?2", (kind.stored(), name))?;
        transaction.execute("DELETE FROM tag WHERE arn = ?1", [kind.arn(name)])?;
        transaction.commit()?;
        Ok(())
    }

    /// Returns what is in the registry, locked until it is dropped.
    pub(crate) fn resources(&self) -> Resources<'_> {
        Resources(self.connection.lock())
    }

    /// Returns all jobs of a kind.
    pub(crate) fn all(&self, kind: JobKind) -> Result<Vec<Record>, JobsError> {
        let connection = self.connection.lock();
        let mut statement =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE kind = ?1"))?;
        let rows = statement.query_map([kind.stored()], raw)?;
        rows.map(|row| parse(row?)).collect()
    }

    /// Adds tags to a resource, in place of those with the same keys.
    pub(crate) fn add_tags(&self, arn: &str, tags: &[(String, String)]) -> Result<(), JobsError> {
        put_tags(&self.connection.lock(), arn, tags)
    }

    /// Removes tags of a resource.
    pub(crate) fn delete_tags(&self, arn: &str, keys: &[String]) -> Result<(), JobsError> {
        let connection = self.connection.lock();
        for key in keys {
            connection.execute("DELETE FROM tag WHERE arn = ?1 AND key = ?2", (arn, key))?;
        }
        Ok(())
    }

    /// Returns the tags of a resource, by key.
    pub(crate) fn tags(&self, arn: &str) -> Result<Vec<(String, String)>, JobsError> {
        let connection = self.connection.lock();
        let mut statement =
            connection.prepare_cached("SELECT key, value FROM tag WHERE arn = ?1 ORDER BY key")?;
        let rows = statement.query_map([arn], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn put_tags(
    connection: &Connection,
    arn: &str,
    tags: &[(String, String)],
) -> Result<(), JobsError> {
    for (key, value) in tags {
        connection.execute(
            "INSERT INTO tag (arn, key, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
            (arn, key, value),
        )?;
    }
    Ok(())
}

fn find(connection: &Connection, kind: JobKind, name: &str) -> Result<Option<Record>, JobsError> {
    let sql = format!("SELECT {COLUMNS} FROM job WHERE kind = ?1 AND name = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row((kind.stored(), name), raw).optional()?.map(parse).transpose()
}

/// A row before its JSON is parsed, whose failure a row mapper cannot report.
type Raw = (String, String, String, String, i64, i64);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn parse((kind, name, request, state, created_ms, modified_ms): Raw) -> Result<Record, JobsError> {
    let request: Value = serde_json::from_str(&request)?;
    let state = serde_json::from_str(&state)?;
    let kind = JobKind::parse(&kind)
        .ok_or_else(|| JobsError::Validation(format!("unknown kind of job `{kind}`")))?;
    Ok(Record { kind, name, request, state, created_ms, modified_ms })
}
