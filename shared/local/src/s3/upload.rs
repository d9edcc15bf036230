//! Multipart uploads: unfinished ones and their parts, whose content is in blobs.

use rusqlite::{Connection, OptionalExtension as _};
use uuid::Uuid;

use super::checksum::Checksums;
use super::error::S3ServerError;
use super::index::{self, begin};
use super::object::{Attributes, NewObject, Object, Precondition};
use super::receive::{NewContent, Received};
use super::store::{Store, now_ms};
use super::write::Aftermath;
use crate::events::EventName;

/// An unfinished upload.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) initiated_ms: i64,
    pub(crate) attributes: Attributes,
}

/// A part of an unfinished upload.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) number: i32,
    pub(crate) etag: String,
    pub(crate) bytes: u64,
    pub(crate) modified_ms: i64,
    pub(crate) checksums: Checksums,
    pub(crate) blob: String,
}

impl Store {
    /// Begins an upload and returns its id.
    pub(crate) fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        attributes: &Attributes,
    ) -> Result<String, S3ServerError> {
        let connection = self.index.lock();
        index::notifications(&connection, bucket)?;
        let id = Uuid::new_v4().simple().to_string();
        connection.execute(
            "INSERT INTO upload (id, bucket, key, initiated_ms, attributes) VALUES (?1, ?2, ?3, ?4, ?5)",
            (&id, bucket, key.as_bytes(), now_ms(), serde_json::to_string(attributes)?),
        )?;
        Ok(id)
    }

    /// Returns an unfinished upload of `key`, and its parts in order.
    pub(crate) fn upload(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
    ) -> Result<(Upload, Vec<Part>), S3ServerError> {
        find(&self.index.lock(), bucket, key, upload_id)
    }

    /// Returns the unfinished uploads of keys that start with `prefix`, by key and age.
    pub(crate) fn uploads(&self, bucket: &str, prefix: &str) -> Result<Vec<Upload>, S3ServerError> {
        let connection = self.index.lock();
        index::notifications(&connection, bucket)?;
        let mut statement = connection.prepare(
            "SELECT id, key, initiated_ms, attributes FROM upload WHERE bucket = ?1
             ORDER BY key, initiated_ms, id",
        )?;
        let mut rows = statement.query([bucket])?;
        let mut uploads = Vec::new();
        while let Some(row) = rows.next()? {
            let key = String::from_utf8_lossy(&row.get::<_, Vec<u8>>(1)?).into_owned();
            if key.starts_with(prefix) {
                let attributes: String = row.get(3)?;
                uploads.push(Upload {
                    id: row.get(0)?,
                    key,
                    initiated_ms: row.get(2)?,
                    attributes: serde_json::from_str(&attributes)?,
                });
            }
        }
        Ok(uploads)
    }

    /// Adds a part, or replaces the one with its number. Returns the part.
    pub(crate) fn put_part(
        &self,
        (bucket, key, upload_id): (&str, &str, &str),
        number: i32,
        received: Received,
    ) -> Result<Part, S3ServerError> {
        let NewContent::File(blob) = received.content else {
            return Err(S3ServerError::Interrupted); // `receive` was told to keep nothing in memory
        };
        let part = Part {
            number,
            etag: hex::encode(received.md5),
            bytes: received.bytes,
            modified_ms: now_ms(),
            checksums: received.checksums,
            blob: blob.name().to_owned(),
        };
        let mut connection = self.index.lock();
        let transaction = begin(&mut connection)?;
        let (_, parts) = find(&transaction, bucket, key, upload_id)?;
        transaction.execute(
            "INSERT OR REPLACE INTO part (upload_id, number, etag, bytes, modified_ms, checksums, blob)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                upload_id,
                number,
                &part.etag,
                part.bytes,
                part.modified_ms,
                serde_json::to_string(&part.checksums)?,
                &part.blob,
            ),
        )?;
        transaction.commit()?;
        blob.keep();
        let unnamed = parts.into_iter().filter(|old| old.number == number).map(|old| old.blob);
        self.settle(connection, &Aftermath { unnamed: unnamed.collect(), events: 0 });
        Ok(part)
    }

    /// Removes an upload with its parts.
    pub(crate) fn abort_upload(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
    ) -> Result<(), S3ServerError> {
        let mut connection = self.index.lock();
        let transaction = begin(&mut connection)?;
        let (_, parts) = find(&transaction, bucket, key, upload_id)?;
        transaction.execute("DELETE FROM upload WHERE id = ?1", [upload_id])?;
        transaction.commit()?;
        let unnamed = parts.into_iter().map(|part| part.blob).collect();
        self.settle(connection, &Aftermath { unnamed, events: 0 });
        Ok(())
    }

    /// Makes `new` the object and ends the upload, in one transaction.
    pub(crate) fn complete_upload(
        &self,
        upload_id: &str,
        new: NewObject,
        precondition: &Precondition,
    ) -> Result<Object, S3ServerError> {
        debug_assert_eq!(new.event, EventName::CompleteMultipartUpload);
        let mut connection = self.index.lock();
        let transaction = begin(&mut connection)?;
        // Another request may have aborted or completed the upload while the parts were joined.
        let (_, parts) = find(&transaction, &new.bucket, &new.key, upload_id)?;
        let (object, mut aftermath) = self.write_object(&transaction, &new, precondition)?;
        transaction.execute("DELETE FROM upload WHERE id = ?1", [upload_id])?;
        transaction.commit()?;
        if let NewContent::File(blob) = new.content {
            blob.keep();
        }
        aftermath.unnamed.extend(parts.into_iter().map(|part| part.blob));
        self.settle(connection, &aftermath);
        Ok(object)
    }
}

/// Finds an unfinished upload and its parts in order.
fn find(
    connection: &Connection,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> Result<(Upload, Vec<Part>), S3ServerError> {
    index::notifications(connection, bucket)?;
    let found: Option<(i64, String)> = connection
        .prepare_cached(
            "SELECT initiated_ms, attributes FROM upload WHERE id = ?1 AND bucket = ?2 AND key = ?3",
        )?
        .query_row((upload_id, bucket, key.as_bytes()), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((initiated_ms, attributes)) = found else {
        return Err(S3ServerError::NoSuchUpload { upload_id: upload_id.to_owned() });
    };
    let upload = Upload {
        id: upload_id.to_owned(),
        key: key.to_owned(),
        initiated_ms,
        attributes: serde_json::from_str(&attributes)?,
    };

    let mut statement = connection.prepare_cached(
        "SELECT number, etag, bytes, modified_ms, checksums, blob FROM part
         WHERE upload_id = ?1 ORDER BY number",
    )?;
    let mut rows = statement.query([upload_id])?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        let checksums: String = row.get(4)?;
        parts.push(Part {
            number: row.get(0)?,
            etag: row.get(1)?,
            bytes: row.get(2)?,
            modified_ms: row.get(3)?,
            checksums: serde_json::from_str(&checksums)?,
            blob: row.get(5)?,
        });
    }
    Ok((upload, parts))
}
