//! The store's client, and the writes that its port's calls share.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use bytes::Bytes;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::{Created, SHA256_METADATA, StoreError, sha256_hex};

use super::digest::to_base64;
use super::environment::config_from_env;
use super::error::{classify, status};
#[cfg(feature = "planner")]
use crate::counter::Counter;
use crate::http::http_client;

/// How often a create-only write is tried while S3 answers 409: another one is under way.
const CONFLICT_TRIES: u32 = 6;

/// [`ObjectStore`](sidestep_engine::ports::objects::ObjectStore) over S3.
///
/// Clones share one connection pool.
#[derive(Debug, Clone)]
pub struct S3ObjectStore {
    pub(super) client: Client,
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
    pub(super) async fn put(
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
