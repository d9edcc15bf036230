//! Writes of objects: one transaction decides the precondition, writes the row and files the event.

use parking_lot::MutexGuard;
use rusqlite::{Connection, OptionalExtension as _};

use super::error::S3ServerError;
use super::index::{self, begin};
use super::object::{NewObject, Object, Precondition};
use super::receive::NewContent;
use super::store::{Store, now_ms};
use crate::events::{EventName, ObjectEvent};

/// What a write leaves to do after its commit.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Aftermath {
    /// Blobs that no row names any more.
    pub(crate) unnamed: Vec<String>,
    /// How many events were filed.
    pub(crate) events: usize,
}

impl Store {
    /// Creates or replaces an object, if the precondition holds.
    pub(crate) fn put_object(
        &self,
        new: NewObject,
        precondition: &Precondition,
    ) -> Result<Object, S3ServerError> {
        let mut connection = self.index.lock();
        let transaction = begin(&mut connection)?;
        let (object, aftermath) = self.write_object(&transaction, &new, precondition)?;
        transaction.commit()?;
        if let NewContent::File(blob) = new.content {
            blob.keep();
        }
        self.settle(connection, &aftermath);
        Ok(object)
    }

    /// Does the part of [`put_object`](Self::put_object) inside a transaction.
    pub(crate) fn write_object(
        &self,
        transaction: &Connection,
        new: &NewObject,
        precondition: &Precondition,
    ) -> Result<(Object, Aftermath), S3ServerError> {
        let notifications = index::notifications(transaction, &new.bucket)?;
        let current: Option<(String, Option<String>)> = transaction
            .prepare_cached("SELECT etag, blob FROM object WHERE bucket = ?1 AND key = ?2")?
            .query_row((&new.bucket, new.key.as_bytes()), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let etag = current.as_ref().map(|(etag, _)| etag.as_str());
        precondition.check(&new.bucket, &new.key, etag)?;

        let modified_ms = now_ms();
        let (blob, content) = match &new.content {
            NewContent::Inline(content) => (None, Some(content)),
            NewContent::File(blob) => (Some(blob.name()), None),
        };
        transaction
            .prepare_cached(
                "INSERT INTO object (bucket, key, etag, bytes, modified_ms, attributes, blob, content)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (bucket, key) DO UPDATE SET
                     etag = excluded.etag, bytes = excluded.bytes, modified_ms = excluded.modified_ms,
                     attributes = excluded.attributes, blob = excluded.blob, content = excluded.content",
            )?
            .execute((
                &new.bucket,
                new.key.as_bytes(),
                &new.etag,
                new.bytes,
                modified_ms,
                serde_json::to_string(&new.attributes)?,
                blob,
                content,
            ))?;
        let happened = ObjectEvent {
            event: new.event,
            bucket: &new.bucket,
            key: &new.key,
            written: Some((new.bytes, &new.etag)),
            time_ms: modified_ms,
        };
        let events = self.file_event(transaction, &notifications, &happened)?;
        let object = Object {
            etag: new.etag.clone(),
            bytes: new.bytes,
            modified_ms,
            attributes: new.attributes.clone(),
        };
        let unnamed = current.and_then(|(_, blob)| blob).into_iter().collect();
        Ok((object, Aftermath { unnamed, events }))
    }

    /// Removes objects in one transaction, each with its event.
    ///
    /// An object that is not there is no error, as in S3.
    pub(crate) fn delete_objects(
        &self,
        bucket: &str,
        keys: &[(String, Precondition)],
    ) -> Result<(), S3ServerError> {
        let mut connection = self.index.lock();
        let transaction = begin(&mut connection)?;
        let notifications = index::notifications(&transaction, bucket)?;
        let mut aftermath = Aftermath::default();
        for (key, precondition) in keys {
            let current: Option<(String, Option<String>)> = transaction
                .prepare_cached("SELECT etag, blob FROM object WHERE bucket = ?1 AND key = ?2")?
                .query_row((bucket, key.as_bytes()), |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            precondition.check(bucket, key, current.as_ref().map(|(etag, _)| etag.as_str()))?;
            let Some((_, blob)) = current else { continue };
            transaction
                .prepare_cached("DELETE FROM object WHERE bucket = ?1 AND key = ?2")?
                .execute((bucket, key.as_bytes()))?;
            let happened = ObjectEvent {
                event: EventName::Delete,
                bucket,
                key,
                written: None,
                time_ms: now_ms(),
            };
            aftermath.events += self.file_event(&transaction, &notifications, &happened)?;
            aftermath.unnamed.extend(blob);
        }
        transaction.commit()?;
        self.settle(connection, &aftermath);
        Ok(())
    }

    /// Does what a committed write left to do.
    ///
    /// The events are counted while the index is still locked, so that no event can be delivered,
    /// and counted down, before it was counted up.
    pub(crate) fn settle(&self, index: MutexGuard<'_, Connection>, aftermath: &Aftermath) {
        if aftermath.events > 0 {
            self.undelivered.send_modify(|count| *count += aftermath.events);
        }
        drop(index);
        for blob in &aftermath.unnamed {
            self.blobs.remove(blob);
        }
    }
}
