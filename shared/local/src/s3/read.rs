//! Reads of objects: a row of the index, and the content that it names.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::error::S3ServerError;
use super::index;
use super::object::{Content, Object};
use super::receive::NewContent;
use super::store::Store;

impl Store {
    /// Returns an object and its content, open for reading.
    pub(crate) fn open_object(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<(Object, Content), S3ServerError> {
        let connection = self.index.lock();
        let (object, location) = find(&connection, bucket, key)?;
        let content = match location {
            ContentLocation::Inline(content) => Content::Inline(content),
            // Opened before the lock is released, and so before anything can remove it.
            ContentLocation::Blob(name) => {
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
        let (object, location) = find(&connection, bucket, key)?;
        let content = match location {
            ContentLocation::Inline(content) => NewContent::Inline(content),
            ContentLocation::Blob(name) => NewContent::File(
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
}

/// Where an object's content is: in the index, or in a blob.
enum ContentLocation {
    Inline(Vec<u8>),
    Blob(String),
}

/// Finds an object and the location of its content.
fn find(
    connection: &Connection,
    bucket: &str,
    key: &str,
) -> Result<(Object, ContentLocation), S3ServerError> {
    let mut statement = connection.prepare_cached(
        "SELECT etag, bytes, modified_ms, attributes, blob, content FROM object
         WHERE bucket = ?1 AND key = ?2",
    )?;
    let found = statement
        .query_row((bucket, key.as_bytes()), |row| {
            let location = match row.get(4)? {
                Some(blob) => ContentLocation::Blob(blob),
                None => ContentLocation::Inline(row.get(5)?),
            };
            Ok((raw_object(row)?, location))
        })
        .optional()?;
    match found {
        Some((object, location)) => Ok((object.parse()?, location)),
        None => Err(missing(connection, bucket, key)),
    }
}

/// An object's row before its JSON is parsed, whose failure a row mapper cannot report.
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

/// Returns the failure for an object that is not there: its bucket or only the object is missing.
fn missing(connection: &Connection, bucket: &str, key: &str) -> S3ServerError {
    match index::notifications(connection, bucket) {
        Ok(_) => S3ServerError::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned() },
        Err(error) => error,
    }
}
