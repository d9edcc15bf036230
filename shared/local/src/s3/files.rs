//! Objects to files and back, for programs of this process that work on files.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use s3s::dto::StreamingBlob;
use tokio_util::io::ReaderStream;

use super::S3Server;
use super::error::S3ServerError;
use super::listing::{Listing, PAGE_KEYS_MAX};
use super::object::{Attributes, Content, NewObject, Precondition};
use super::receive::{Claims, INLINE_BYTES_MAX, receive};
use crate::events::EventName;

/// How much of a file is read at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

impl S3Server {
    /// Returns the keys that begin with `prefix`, in byte order.
    pub(crate) async fn keys(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> Result<Vec<String>, S3ServerError> {
        let (mut keys, mut from) = (Vec::new(), Vec::new());
        loop {
            let listing = Listing {
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
                from,
                limit: PAGE_KEYS_MAX,
                ..Listing::default()
            };
            let page = self.store.run(move |store| store.list(&listing)).await?;
            keys.extend(page.objects.into_iter().map(|object| object.key));
            match page.next {
                Some(next) => from = next,
                None => return Ok(keys),
            }
        }
    }

    /// Writes an object's content into a file, in place of what is there.
    pub(crate) async fn download(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
    ) -> Result<(), S3ServerError> {
        let (bucket, key, path) = (bucket.to_owned(), key.to_owned(), path.to_owned());
        self.store
            .run(move |store| {
                let (_, content) = store.open_object(&bucket, &key)?;
                let written = match content {
                    Content::Inline(content) => fs::write(&path, content),
                    // The file system shares the blocks where it can.
                    Content::File(mut blob) => File::create(&path)
                        .and_then(|mut file| io::copy(&mut blob, &mut file).map(drop)),
                };
                written.map_err(S3ServerError::file("write a job's input"))
            })
            .await
    }

    /// Writes a file's content into an object, with its event.
    pub(crate) async fn upload(
        &self,
        path: &Path,
        bucket: &str,
        key: &str,
    ) -> Result<(), S3ServerError> {
        let opened = tokio::fs::File::open(path).await;
        let file = opened.map_err(S3ServerError::file("read a job's output"))?;
        let body = StreamingBlob::wrap(ReaderStream::with_capacity(file, CHUNK_BYTES));
        let stored =
            receive(&self.store.blobs, Some(body), Claims::default(), INLINE_BYTES_MAX).await;
        let received = stored.map_err(|error| {
            let source = io::Error::other(error.to_string());
            S3ServerError::file("store a job's output")(source)
        })?;
        let new = NewObject {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            etag: hex::encode(received.md5),
            bytes: received.bytes,
            attributes: Attributes::default(),
            content: received.content,
            event: EventName::Put,
        };
        self.store.run(move |store| store.put_object(new, &Precondition::default()).map(drop)).await
    }
}
