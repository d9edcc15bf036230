//! The outbox: events that happened and are not delivered yet, in the order of their commits.
//!
//! An event enters the outbox in the transaction of the write that it reports, if the bucket's
//! configuration asks for it at that moment, as in S3. It leaves once every matching function took
//! it.

use rusqlite::Connection;

use super::error::S3ServerError;
use super::index::{self, Index};
use super::store::Store;
use crate::events::{FunctionNotification, ObjectEvent, Undelivered};
use crate::sqlite::unsynced;

impl Index {
    /// Returns how many events wait.
    pub(crate) fn undelivered_count(&self) -> Result<usize, S3ServerError> {
        Ok(self.lock().query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))?)
    }
}

impl Store {
    /// Files an event if a notification asks for it. Returns how many events were filed.
    pub(crate) fn file_event(
        &self,
        transaction: &Connection,
        notifications: &[FunctionNotification],
        happened: &ObjectEvent<'_>,
    ) -> Result<usize, S3ServerError> {
        if !notifications.iter().any(|asked| asked.matches(happened.event.as_str(), happened.key)) {
            return Ok(0);
        }
        let record = happened.record(&self.region, &self.account_id);
        let inserted = transaction
            .prepare_cached(
                "INSERT INTO outbox (bucket, event, key, record) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((
                happened.bucket,
                happened.event.as_str(),
                happened.key,
                serde_json::to_string(&record)?,
            ))?;
        Ok(inserted)
    }

    /// Returns up to `limit` events from `first` on, oldest first.
    ///
    /// Each comes with the notifications that ask for it now.
    pub(crate) fn undelivered_from(
        &self,
        first: i64,
        limit: usize,
    ) -> Result<Vec<Undelivered>, S3ServerError> {
        let connection = self.index.lock();
        let mut statement = connection.prepare_cached(
            "SELECT sequence, bucket, event, key, record FROM outbox
             WHERE sequence >= ?1 ORDER BY sequence LIMIT ?2",
        )?;
        let mut rows = statement.query((first, limit))?;
        let mut undelivered = Vec::new();
        while let Some(row) = rows.next()? {
            let (bucket, event, key): (String, String, String) =
                (row.get(1)?, row.get(2)?, row.get(3)?);
            let record: String = row.get(4)?;
            let notifications = match index::notifications(&connection, &bucket) {
                Ok(notifications) => notifications,
                Err(S3ServerError::NoSuchBucket { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            undelivered.push(Undelivered {
                sequence: row.get(0)?,
                record: serde_json::from_str(&record)?,
                notifications: notifications
                    .into_iter()
                    .filter(|asked| asked.matches(&event, &key))
                    .collect(),
            });
        }
        Ok(undelivered)
    }

    /// Removes an event that was delivered, or that no notification asks for any more.
    ///
    /// This is not synced by itself: the next write's sync takes it along. An event that comes back
    /// after a power loss is delivered twice.
    pub(crate) fn remove_event(&self, sequence: i64) -> Result<(), S3ServerError> {
        let connection = self.index.lock();
        let removed = unsynced(&connection, || {
            connection.prepare_cached("DELETE FROM outbox WHERE sequence = ?1")?.execute([sequence])
        })?;
        self.undelivered.send_if_modified(|count| {
            *count = count.saturating_sub(removed);
            *count == 0
        });
        Ok(())
    }
}
