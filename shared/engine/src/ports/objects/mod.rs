//! The port to an object store, from which the planner reads inputs and to which steps write.
//!
//! It speaks in URIs, digests and artifacts. Everything that a step leaves behind is create-only,
//! because Lambda may deliver one invocation twice: the first run to write an object decides its
//! content, and a run with other bytes gets an error instead of replacing a result that other steps
//! may have read.
//!
//! Only garbage collection deletes. Copying and overwriting are left out on purpose, because no
//! part of an execution needs them.

pub mod memory;

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::uri::S3Uri;

use crate::ports::source::BoxError;

/// The user metadata key that holds an object's SHA-256 in hexadecimal. On the wire, `x-amz-meta-`
/// precedes it.
pub const SHA256_METADATA: &str = "sidestep-sha256";

/// Content on its way in or out, in pieces of any size.
pub type ObjectStream = BoxStream<'static, io::Result<Bytes>>;

/// The facts that a store knows of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    pub bytes: u64,
    /// `sha256:HEX` if the content's SHA-256 is known, otherwise `version:ID:ETAG` or `etag:ETAG`,
    /// which only hints at a change.
    pub digest: String,
}

impl ObjectFacts {
    /// Returns the content's SHA-256 in hexadecimal, if the digest is one.
    pub fn sha256(&self) -> Option<&str> {
        self.digest.strip_prefix("sha256:")
    }
}

/// An object being read.
pub struct Download {
    pub facts: ObjectFacts,
    pub stream: ObjectStream,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// How a create-only write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    New,
    /// An object was there, and stays as it was.
    Exists,
}

/// A failure of an object store, in words that fit every store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("bucket `{bucket}` does not exist")]
    NoSuchBucket { bucket: String },
    /// The key is empty, ends in `/` or has over 1,024 bytes. S3 takes some of these, but a caller
    /// never means them.
    #[error("`{uri}` cannot name an object: {reason}")]
    IllegalKey { uri: S3Uri, reason: &'static str },
    #[error("object `{uri}` has {bytes} bytes, over the limit of {limit}")]
    TooLarge { uri: S3Uri, bytes: u64, limit: u64 },
    #[error("more than {limit} objects below `{prefix}`")]
    TooManyObjects { prefix: S3Uri, limit: usize },
    /// An upload found an object with other bytes: another run of this attempt was first.
    #[error("object `{uri}` exists with other content")]
    Conflict { uri: S3Uri },
    /// The stream to be uploaded failed, not the store. Nothing was created.
    #[error("could not read the content meant for `{uri}`")]
    Source { uri: S3Uri, source: io::Error },
    /// The store does not let the caller look, which says nothing about the object: it may exist,
    /// and the next caller may be allowed.
    #[error("no permission to {operation} `{uri}`")]
    Denied { operation: &'static str, uri: S3Uri, source: BoxError },
    /// Any other failure, as the store says it. `retryable` is the adapter's judgement.
    #[error("could not {operation} `{uri}`")]
    Unavailable { operation: &'static str, uri: S3Uri, retryable: bool, source: BoxError },
}

impl StoreError {
    /// Returns true if the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable { retryable: true, .. })
    }
}

/// A store of objects. Every method may be repeated without harm.
#[async_trait]
pub trait ObjectStore: Send + Sync + std::fmt::Debug {
    /// Returns what is known of an object, or `None` if there is none.
    async fn head(&self, uri: &S3Uri) -> Result<Option<ObjectFacts>, StoreError>;

    /// Returns the objects whose key starts with the prefix's key, in order of key.
    ///
    /// More than `limit` are an error. A listing carries no SHA-256, so its digests are always
    /// `etag:`.
    async fn list(
        &self,
        prefix: &S3Uri,
        limit: usize,
    ) -> Result<Vec<(String, ObjectFacts)>, StoreError>;

    /// Returns a whole object, or `None` if there is none.
    ///
    /// An object over `max_bytes` is an error, found before it is read.
    async fn get(&self, uri: &S3Uri, max_bytes: u64) -> Result<Option<Bytes>, StoreError>;

    /// Opens an object for reading, or returns `None` if there is none.
    async fn download(&self, uri: &S3Uri) -> Result<Option<Download>, StoreError>;

    /// Writes an object with its SHA-256, unless there is one.
    ///
    /// Of any number of concurrent calls, one returns `New`.
    async fn create(
        &self,
        uri: &S3Uri,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<Created, StoreError>;

    /// Writes an object of any size unless there is one, and computes its SHA-256 on the way.
    ///
    /// It takes a bounded amount of memory.
    ///
    /// The same bytes again are fine. Other bytes are a [`StoreError::Conflict`]. After a failure
    /// there is no object, unless the store had already accepted it.
    async fn upload(&self, uri: &S3Uri, stream: ObjectStream) -> Result<Artifact, StoreError>;

    /// Removes an object, if there is one. Afterwards it is absent, also in listings. A bucket with
    /// versions keeps them.
    async fn delete(&self, uri: &S3Uri) -> Result<(), StoreError>;
}

/// Refuses a URI that names no single object.
pub fn check_key(uri: &S3Uri) -> Result<(), StoreError> {
    let illegal = |reason| Err(StoreError::IllegalKey { uri: uri.clone(), reason });
    match uri.key() {
        "" => illegal("the key is empty"),
        key if key.ends_with('/') => illegal("the key ends in `/`"),
        key if key.len() > 1024 => illegal("the key is over 1,024 bytes"),
        _ => Ok(()),
    }
}

/// Returns the SHA-256 of `bytes` as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Returns the SHA-256 of the object at `uri`, as recorded or by reading all of it.
///
/// An upload that finds an object uses it to distinguish a repeat from a conflict.
pub async fn existing_sha256(
    store: &dyn ObjectStore,
    uri: &S3Uri,
) -> Result<Option<String>, StoreError> {
    let Some(Download { facts, stream }) = store.download(uri).await? else { return Ok(None) };
    if let Some(sha256) = facts.sha256() {
        return Ok(Some(sha256.to_owned()));
    }
    let hash = |mut hasher: Sha256, piece: Bytes| async move {
        hasher.update(&piece);
        Ok(hasher)
    };
    let hasher = stream.try_fold(Sha256::new(), hash).await.map_err(|error| {
        let source = Box::new(error);
        StoreError::Unavailable { operation: "read", uri: uri.clone(), retryable: true, source }
    })?;
    Ok(Some(hex::encode(hasher.finalize())))
}

/// Makes a stream of one piece out of bytes in memory.
pub fn stream_of(bytes: impl Into<Bytes>) -> ObjectStream {
    let bytes = bytes.into();
    futures::stream::once(async move { Ok(bytes) }).boxed()
}
