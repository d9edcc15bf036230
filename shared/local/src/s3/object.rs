//! Objects: the one transaction that decides a precondition, writes the row and files its event.

use std::fs::File;
use std::sync::MutexGuard;

use rusqlite::{Connection, OptionalExtension as _, Row};
use s3s::dto::{ETagCondition, Timestamp};
use serde::{Deserialize, Serialize};

use super::checksum::Checksums;
use super::error::S3ServerError;
use super::index::{self, begin};
use super::receive::NewContent;
use super::store::{Store, now_ms};
use crate::events::{EventName, Happened};

/// What is kept of an object beside its content, as the client gave it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attributes {
    pub(crate) cache_control: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) content_type: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) expires_ms: Option<i64>,
    pub(crate) metadata: std::collections::BTreeMap<String, String>,
    pub(crate) checksums: Checksums,
    /// `FULL_OBJECT` or `COMPOSITE`.
    pub(crate) checksum_type: Option<String>,
    /// Of a multipart upload: the algorithm its parts are to have.
    pub(crate) checksum_algorithm: Option<String>,
}

/// An object's row, without its content.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) etag: String,
    pub(crate) bytes: u64,
    pub(crate) modified_ms: i64,
    pub(crate) attributes: Attributes,
}

/// An object's content, which stays whole whatever happens to the object meanwhile.
#[derive(Debug)]
pub(crate) enum Content {
    Inline(Vec<u8>),
    File(File),
}

/// An object about to be written.
#[derive(Debug)]
pub(crate) struct NewObject {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(crate) bytes: u64,
    pub(crate) attributes: Attributes,
    pub(crate) content: NewContent,
    pub(crate) event: EventName,
}

/// The conditions of a write, decided in its transaction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Precondition {
    pub(crate) if_match: Option<ETagCondition>,
    /// `If-None-Match: *`, the only form S3 knows for a write.
    pub(crate) must_be_absent: bool,
}

impl Precondition {
    fn check(&self, bucket: &str, key: &str, current: Option<&str>) -> Result<(), S3ServerError> {
        let holds = match (&self.if_match, current) {
            (Some(_), None) => {
                return Err(S3ServerError::NoSuchKey { bucket: bucket.into(), key: key.into() });
            }
            (Some(ETagCondition::ETag(etag)), Some(current)) if etag.value() != current => false,
            (_, Some(_)) => !self.must_be_absent,
            (None, None) => true,
        };
        if holds { Ok(()) } else { Err(S3ServerError::PreconditionFailed { key: key.into() }) }
    }
}

/// What a write leaves to do after its commit.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Aftermath {
    /// Blobs that no row names any more.
    pub(crate) unnamed: Vec<String>,
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

    /// The part of [`put_object`](Self::put_object) inside a transaction.
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
        let happened = Happened {
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

    /// Removes objects in one transaction, each with its event. An object that is not there is no error, as in S3.
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
            let happened = Happened {
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

    /// Returns an object and its content, open.
    pub(crate) fn open_object(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<(Object, Content), S3ServerError> {
        let connection = self.index.lock();
        let (object, place) = find(&connection, bucket, key)?;
        let content = match place {
            Place::Inline(content) => Content::Inline(content),
            // Opened before the lock is released, and so before anything can remove it.
            Place::Blob(name) => {
                Content::File(self.blobs.read(&name).map_err(S3ServerError::file("open a blob"))?)
            }
        };
        Ok((object, content))
    }

    /// Returns an object and a copy of its content that a new row may name.
    pub(crate) fn duplicate_object(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<(Object, NewContent), S3ServerError> {
        let connection = self.index.lock();
        let (object, place) = find(&connection, bucket, key)?;
        let content = match place {
            Place::Inline(content) => NewContent::Inline(content),
            Place::Blob(name) => NewContent::File(
                self.blobs.duplicate(&name).map_err(S3ServerError::file("copy a blob"))?,
            ),
        };
        Ok((object, content))
    }

    /// Returns an object without its content.
    pub(crate) fn head_object(&self, bucket: &str, key: &str) -> Result<Object, S3ServerError> {
        let connection = self.index.lock();
        let mut statement = connection.prepare_cached(
            "SELECT etag, bytes, modified_ms, attributes FROM object WHERE bucket = ?1 AND key = ?2",
        )?;
        match statement.query_row((bucket, key.as_bytes()), raw_object).optional()? {
            Some(object) => object.parse(),
            None => Err(missing(&connection, bucket, key)),
        }
    }

    /// Does what a committed write left to do. The events are counted while the index is still locked, so that none
    /// can be delivered, and counted down, before it was counted up.
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

/// Where an object's content is.
enum Place {
    Inline(Vec<u8>),
    Blob(String),
}

fn find(
    connection: &Connection,
    bucket: &str,
    key: &str,
) -> Result<(Object, Place), S3ServerError> {
    let mut statement = connection.prepare_cached(
        "SELECT etag, bytes, modified_ms, attributes, blob, content FROM object
         WHERE bucket = ?1 AND key = ?2",
    )?;
    let found = statement
        .query_row((bucket, key.as_bytes()), |row| {
            let place = match row.get(4)? {
                Some(blob) => Place::Blob(blob),
                None => Place::Inline(row.get(5)?),
            };
            Ok((raw_object(row)?, place))
        })
        .optional()?;
    match found {
        Some((object, place)) => Ok((object.parse()?, place)),
        None => Err(missing(connection, bucket, key)),
    }
}

/// An object's row before its JSON is parsed, which a row mapper cannot report.
struct RawObject {
    etag: String,
    bytes: u64,
    modified_ms: i64,
    attributes: String,
}

impl RawObject {
    fn parse(self) -> Result<Object, S3ServerError> {
        Ok(Object {
            etag: self.etag,
            bytes: self.bytes,
            modified_ms: self.modified_ms,
            attributes: serde_json::from_str(&self.attributes)?,
        })
    }
}

fn raw_object(row: &Row<'_>) -> rusqlite::Result<RawObject> {
    Ok(RawObject {
        etag: row.get(0)?,
        bytes: row.get(1)?,
        modified_ms: row.get(2)?,
        attributes: row.get(3)?,
    })
}

/// Says whether the bucket or only the object is missing.
fn missing(connection: &Connection, bucket: &str, key: &str) -> S3ServerError {
    match index::notifications(connection, bucket) {
        Ok(_) => S3ServerError::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned() },
        Err(error) => error,
    }
}

impl Object {
    pub(crate) fn modified(&self) -> Timestamp {
        super::store::timestamp(self.modified_ms).into()
    }
}
