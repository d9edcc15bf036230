//! The object store port over Amazon S3.
//!
//! Create-only writes are `If-None-Match: *`, which S3 decides atomically. What this adapter writes
//! carries its SHA-256 twice: as a checksum, which S3 verifies, and as user metadata, which
//! survives a copy. Objects of several parts are the exception: S3 takes metadata only before the
//! first part, when the digest is not known yet.

mod digest;
mod environment;
mod error;
mod parts;
pub(crate) mod store;
mod upload;

use async_trait::async_trait;
use aws_sdk_s3::types::ChecksumMode;
use bytes::Bytes;
use futures::StreamExt;
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::{
    Created, Download, ObjectFacts, ObjectStore, ObjectStream, SHA256_METADATA, StoreError,
    check_key, sha256_hex,
};
use tokio_util::io::ReaderStream;

pub use self::digest::digest;
pub use self::environment::config_from_env;
#[cfg(feature = "planner")]
pub(crate) use self::environment::variable;
use self::error::{classify, is_absent, status};
pub use self::store::S3ObjectStore;

/// Reads an object's facts from the answer to HEAD or GET.
///
/// It is a macro because the SDK has a type for each answer, and no trait for what they share.
macro_rules! facts {
    ($answer:expr) => {{
        let recorded = $answer.metadata().and_then(|metadata| metadata.get(SHA256_METADATA));
        ObjectFacts {
            bytes: unsigned($answer.content_length()),
            digest: digest(
                recorded.map(String::as_str),
                $answer.checksum_sha256(),
                $answer.version_id(),
                $answer.e_tag(),
            ),
        }
    }};
}

#[async_trait]
impl ObjectStore for S3ObjectStore {
    /// Sends one HEAD. Its answer has no body, so an absent bucket looks like an absent object.
    async fn head(&self, uri: &S3Uri) -> Result<Option<ObjectFacts>, StoreError> {
        check_key(uri)?;
        let head = self.client.head_object().bucket(uri.bucket()).key(uri.key());
        let object = match head.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(object) => object,
            Err(error) if status(&error) == Some(404) => return Ok(None),
            Err(error) => return Err(classify("look up", uri, error)),
        };
        Ok(Some(facts!(object)))
    }

    async fn list(
        &self,
        prefix: &S3Uri,
        limit: usize,
    ) -> Result<Vec<(String, ObjectFacts)>, StoreError> {
        let page_size = i32::try_from(limit.saturating_add(1)).map_or(1000, |most| most.min(1000));
        let list = self.client.list_objects_v2().bucket(prefix.bucket()).prefix(prefix.key());
        let mut pages = list.into_paginator().page_size(page_size).send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| classify("list", prefix, error))?;
            for object in page.contents.unwrap_or_default() {
                if found.len() == limit {
                    return Err(StoreError::TooManyObjects { prefix: prefix.clone(), limit });
                }
                let facts = ObjectFacts {
                    bytes: unsigned(object.size()),
                    digest: digest(None, None, None, object.e_tag()),
                };
                found.push((object.key.unwrap_or_default(), facts));
            }
        }
        Ok(found)
    }

    async fn get(&self, uri: &S3Uri, max_bytes: u64) -> Result<Option<Bytes>, StoreError> {
        let Some(Download { facts, mut stream }) = self.download(uri).await? else {
            return Ok(None);
        };
        if facts.bytes > max_bytes {
            let bytes = facts.bytes;
            return Err(StoreError::TooLarge { uri: uri.clone(), bytes, limit: max_bytes });
        }
        let mut all = Vec::with_capacity(usize::try_from(facts.bytes).unwrap_or_default());
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|error| StoreError::Unavailable {
                operation: "read",
                uri: uri.clone(),
                retryable: true,
                source: Box::new(error),
            })?;
            all.extend_from_slice(&piece);
        }
        Ok(Some(all.into()))
    }

    /// Sends one GET. If the object has a checksum, the SDK verifies it and reports at the end.
    async fn download(&self, uri: &S3Uri) -> Result<Option<Download>, StoreError> {
        check_key(uri)?;
        let get = self.client.get_object().bucket(uri.bucket()).key(uri.key());
        let object = match get.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(object) => object,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(classify("read", uri, error)),
        };
        let facts = facts!(object);
        let stream = ReaderStream::with_capacity(object.body.into_async_read(), 64 * 1024).boxed();
        Ok(Some(Download { facts, stream }))
    }

    async fn create(
        &self,
        uri: &S3Uri,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<Created, StoreError> {
        check_key(uri)?;
        let sha256 = sha256_hex(&bytes);
        self.put("create", uri, bytes, Some(content_type), &sha256).await
    }

    async fn upload(&self, uri: &S3Uri, stream: ObjectStream) -> Result<Artifact, StoreError> {
        check_key(uri)?;
        upload::upload(self, uri, stream).await
    }

    /// Sends one DELETE, which S3 answers in the same way whether there was an object or not.
    async fn delete(&self, uri: &S3Uri) -> Result<(), StoreError> {
        check_key(uri)?;
        let delete = self.client.delete_object().bucket(uri.bucket()).key(uri.key());
        delete.send().await.map_err(|error| classify("delete", uri, error))?;
        Ok(())
    }
}

/// Converts a length. S3's lengths are signed in the SDK and never negative on the wire.
fn unsigned(length: Option<i64>) -> u64 {
    length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default()
}
