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
mod upload;

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
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

use self::digest::{digest, to_base64};
pub use self::environment::config_from_env;
#[cfg(feature = "planner")]
pub(crate) use self::environment::variable;
use self::error::{classify, is_absent, status};
#[cfg(feature = "planner")]
use crate::counter::Counter;
use crate::http::http_client;

/// How often a create-only write is tried while S3 answers 409: another one is under way.
const CONFLICT_TRIES: u32 = 6;

/// [`ObjectStore`] over S3. Clones share one connection pool.
#[derive(Debug, Clone)]
pub struct S3ObjectStore {
    client: Client,
}

impl S3ObjectStore {
    /// Makes the store without any request.
    ///
    /// A configured endpoint URL is addressed by path, because a bucket below `127.0.0.1` has no
    /// host name.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: s3_client(config) }
    }

    /// Returns the same adapter, with its requests counted.
    #[cfg(feature = "planner")]
    pub fn counted(&self, counter: &Counter) -> Self {
        let config = self.client.config().to_builder().interceptor(counter.clone());
        Self { client: Client::from_conf(config.build()) }
    }

    /// Makes the store of a function from the environment that Lambda gives it; see
    /// [`config_from_env`].
    pub fn from_env() -> Self {
        Self::new(&config_from_env())
    }

    /// Writes an object, replacing an existing one.
    ///
    /// No part of an execution does this. It is for files that a user keeps elsewhere.
    pub async fn replace(&self, uri: &S3Uri, bytes: Bytes) -> Result<(), StoreError> {
        let sha256 = sha256_hex(&bytes);
        let put = self
            .client
            .put_object()
            .bucket(uri.bucket())
            .key(uri.key())
            .metadata(SHA256_METADATA, &sha256)
            .checksum_sha256(to_base64(&sha256))
            .body(bytes.into());
        put.send().await.map_err(|error| classify("replace", uri, error))?;
        Ok(())
    }

    /// Creates an object with a known digest by one PUT, repeated while another one is under way.
    async fn put(
        &self,
        operation: &'static str,
        uri: &S3Uri,
        bytes: Bytes,
        content_type: Option<&str>,
        sha256: &str,
    ) -> Result<Created, StoreError> {
        let mut tries = 1;
        loop {
            let put = self
                .client
                .put_object()
                .bucket(uri.bucket())
                .key(uri.key())
                .if_none_match("*")
                .set_content_type(content_type.map(str::to_owned))
                .metadata(SHA256_METADATA, sha256)
                .checksum_sha256(to_base64(sha256));
            let Err(error) = put.body(bytes.clone().into()).send().await else {
                return Ok(Created::New);
            };
            match status(&error) {
                Some(412) => return Ok(Created::Exists),
                Some(409) if tries < CONFLICT_TRIES => tries += 1,
                _ => return Err(classify(operation, uri, error)),
            }
            tokio::time::sleep(Duration::from_millis(10 << tries)).await;
        }
    }
}

/// Makes a client of S3; see [`S3ObjectStore::new`].
pub(crate) fn s3_client(config: &SdkConfig) -> Client {
    let own_endpoint =
        config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
    let builder = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(own_endpoint)
        .http_client(http_client(config));
    Client::from_conf(builder.build())
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
        let recorded = object.metadata().and_then(|metadata| metadata.get(SHA256_METADATA));
        Ok(Some(ObjectFacts {
            bytes: unsigned(object.content_length()),
            digest: digest(
                recorded.map(String::as_str),
                object.checksum_sha256(),
                object.version_id(),
                object.e_tag(),
            ),
        }))
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
        let recorded = object.metadata().and_then(|metadata| metadata.get(SHA256_METADATA));
        let facts = ObjectFacts {
            bytes: unsigned(object.content_length()),
            digest: digest(
                recorded.map(String::as_str),
                object.checksum_sha256(),
                object.version_id(),
                object.e_tag(),
            ),
        };
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
