//! The object store port over Amazon S3.
//!
//! Create-only writes are `If-None-Match: *`, which S3 decides atomically. What this adapter writes carries its SHA-256
//! twice: as a checksum, which S3 verifies, and as user metadata, which survives a copy. Objects of several parts are
//! the exception: S3 takes metadata only before the first part, when the digest is not known yet.

mod environment;
mod error;
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

pub use self::environment::config_from_env;
use self::error::{classify, is_absent, status};
#[cfg(feature = "planner")]
use crate::counter::Counter;
use crate::http::http_client;

/// How often a create-only write is tried when S3 answers 409, which means "another one is under way, ask again".
const CONFLICT_TRIES: u32 = 6;

/// [`ObjectStore`] over S3. Clones share one connection pool.
#[derive(Debug, Clone)]
pub struct S3ObjectStore {
    client: Client,
}

impl S3ObjectStore {
    /// Makes the store without any request. An endpoint URL of the caller's own is addressed by path, because a bucket
    /// below `127.0.0.1` has no host name.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: s3_client(config) }
    }

    /// The same adapter, with its requests counted.
    #[cfg(feature = "planner")]
    pub fn counted(&self, counter: &Counter) -> Self {
        let config = self.client.config().to_builder().interceptor(counter.clone());
        Self { client: Client::from_conf(config.build()) }
    }

    /// Makes the store of a function from the environment that Lambda gives it; see [`config_from_env`].
    pub fn from_env() -> Self {
        Self::new(&config_from_env())
    }

    /// Writes an object whatever was there. No part of an execution does this: it is for files that a user keeps elsewhere.
    pub async fn replace(&self, uri: &S3Uri, bytes: Bytes) -> Result<(), StoreError> {
        let sha256 = sha256_hex(&bytes);
        let put = self.client.put_object().bucket(uri.bucket()).key(uri.key());
        let put = put.metadata(SHA256_METADATA, &sha256).checksum_sha256(to_base64(&sha256));
        let put = put.body(bytes.into()).send().await;
        put.map_err(|error| classify("replace", uri, error))?;
        Ok(())
    }

    /// One create-only PUT with a known digest, repeated while S3 says that another one is under way.
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
            let put = self.client.put_object().bucket(uri.bucket()).key(uri.key());
            let put = put.if_none_match("*").set_content_type(content_type.map(str::to_owned));
            let put = put.metadata(SHA256_METADATA, sha256).checksum_sha256(to_base64(sha256));
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

/// A client of S3; see [`S3ObjectStore::new`].
pub(crate) fn s3_client(config: &SdkConfig) -> Client {
    let own_endpoint =
        config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
    let builder = aws_sdk_s3::config::Builder::from(config).force_path_style(own_endpoint);
    let builder = builder.http_client(http_client(config));
    Client::from_conf(builder.build())
}

#[async_trait]
impl ObjectStore for S3ObjectStore {
    /// One HEAD. It has no body to tell an absent bucket from an absent object: both are `None`.
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
        let page = i32::try_from(limit.saturating_add(1)).map_or(1000, |most| most.min(1000));
        let list = self.client.list_objects_v2().bucket(prefix.bucket()).prefix(prefix.key());
        let mut pages = list.into_paginator().page_size(page).send();
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

    /// One GET. The SDK verifies the checksum of what it reads, where the object has one, and reports at the end.
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

    /// One DELETE, which S3 answers in the same way whether there was an object or not.
    async fn delete(&self, uri: &S3Uri) -> Result<(), StoreError> {
        check_key(uri)?;
        let delete = self.client.delete_object().bucket(uri.bucket()).key(uri.key());
        delete.send().await.map_err(|error| classify("delete", uri, error))?;
        Ok(())
    }
}

/// The best digest there is. A checksum of several parts (`...-N`) is no digest of the content.
fn digest(
    recorded: Option<&str>,
    checksum: Option<&str>,
    version: Option<&str>,
    etag: Option<&str>,
) -> String {
    let known = recorded.filter(|hex| is_sha256(hex)).map(str::to_owned);
    if let Some(hex) = known.or_else(|| checksum.and_then(from_base64)) {
        return format!("sha256:{hex}");
    }
    let etag = etag.unwrap_or_default().trim_matches('"');
    match version {
        // A bucket without versioning says nothing, or "null" where versioning was suspended.
        None | Some("null") => format!("etag:{etag}"),
        Some(version) => format!("version:{version}:{etag}"),
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn to_base64(hex_digits: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(hex::decode(hex_digits).unwrap_or_default())
}

fn from_base64(text: &str) -> Option<String> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    (bytes.len() == 32).then(|| hex::encode(bytes))
}

/// S3's lengths are signed in the SDK and never negative on the wire.
fn unsigned(length: Option<i64>) -> u64 {
    length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn the_strongest_digest_wins() {
        let checksum = to_base64(EMPTY);
        let sha256 = format!("sha256:{EMPTY}");
        assert_eq!(digest(Some(EMPTY), None, Some("v1"), Some("\"e\"")), sha256);
        assert_eq!(digest(None, Some(&checksum), Some("v1"), Some("\"e\"")), sha256);
        assert_eq!(digest(None, None, Some("v1"), Some("\"e\"")), "version:v1:e");
        assert_eq!(digest(None, None, Some("null"), Some("\"e\"")), "etag:e");
    }

    #[test]
    fn metadata_or_a_checksum_that_is_no_sha256_is_not_believed() {
        let parts = format!("{}-3", to_base64(EMPTY));
        assert_eq!(digest(Some("SHA!"), Some(&parts), None, Some("\"e-3\"")), "etag:e-3");
    }
}
