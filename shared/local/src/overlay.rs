//! An object store that also holds files of this machine, without writing them anywhere.
//!
//! It shows what S3 would hold if the files were uploaded, so a plan can be made without uploading.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use s3s::crypto::{Checksum as _, Md5};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::{
    Created, Download, ObjectFacts, ObjectStore, ObjectStream, StoreError, sha256_hex,
};

/// A store with files laid over it. It can be read and never written.
#[derive(Debug)]
pub struct Overlay {
    inner: Arc<dyn ObjectStore>,
    files: BTreeMap<S3Uri, Bytes>,
    /// Objects that an upload would remove, if they have this SHA-256.
    removed: BTreeMap<S3Uri, String>,
}

impl Overlay {
    /// Lays `files` over `inner`, without the objects `removed`.
    pub fn new(
        inner: Arc<dyn ObjectStore>,
        files: Vec<(S3Uri, Vec<u8>)>,
        removed: BTreeMap<S3Uri, String>,
    ) -> Self {
        let files = files.into_iter().map(|(uri, bytes)| (uri, Bytes::from(bytes))).collect();
        Self { inner, files, removed }
    }

    /// Returns true if an upload would remove the object.
    async fn is_removed(&self, uri: &S3Uri) -> Result<bool, StoreError> {
        let Some(digest) = self.removed.get(uri) else { return Ok(false) };
        let found = self.inner.head(uri).await?;
        Ok(found.as_ref().and_then(ObjectFacts::sha256) == Some(digest.as_str()))
    }

    /// Returns what a head request says of a file.
    fn facts(bytes: &Bytes) -> ObjectFacts {
        ObjectFacts { bytes: bytes.len() as u64, digest: format!("sha256:{}", sha256_hex(bytes)) }
    }
}

#[async_trait]
impl ObjectStore for Overlay {
    async fn head(&self, uri: &S3Uri) -> Result<Option<ObjectFacts>, StoreError> {
        match self.files.get(uri) {
            Some(bytes) => Ok(Some(Self::facts(bytes))),
            None if self.is_removed(uri).await? => Ok(None),
            None => self.inner.head(uri).await,
        }
    }

    async fn list(
        &self,
        prefix: &S3Uri,
        limit: usize,
    ) -> Result<Vec<(String, ObjectFacts)>, StoreError> {
        let inner = match self.inner.list(prefix, limit).await {
            // The bucket would be created with the first upload.
            Err(StoreError::NoSuchBucket { .. }) => Vec::new(),
            result => result?,
        };
        let mut all: BTreeMap<_, _> = inner.into_iter().collect();
        let is_below =
            |uri: &S3Uri| uri.bucket() == prefix.bucket() && uri.key().starts_with(prefix.key());
        for uri in self.removed.keys().filter(|uri| is_below(uri)) {
            if self.is_removed(uri).await? {
                all.remove(uri.key());
            }
        }
        for (uri, bytes) in self.files.iter().filter(|(uri, _)| is_below(uri)) {
            // The embedded S3 lists the MD5 of an object that was put in one piece.
            let mut md5 = Md5::new();
            md5.update(bytes);
            let digest = format!("etag:{}", hex::encode(md5.finalize()));
            all.insert(uri.key().to_owned(), ObjectFacts { bytes: bytes.len() as u64, digest });
        }
        if all.len() > limit {
            return Err(StoreError::TooManyObjects { prefix: prefix.clone(), limit });
        }
        Ok(all.into_iter().collect())
    }

    async fn get(&self, uri: &S3Uri, max_bytes: u64) -> Result<Option<Bytes>, StoreError> {
        match self.files.get(uri) {
            Some(bytes) if bytes.len() as u64 > max_bytes => Err(StoreError::TooLarge {
                uri: uri.clone(),
                bytes: bytes.len() as u64,
                limit: max_bytes,
            }),
            Some(bytes) => Ok(Some(bytes.clone())),
            None if self.is_removed(uri).await? => Ok(None),
            None => self.inner.get(uri, max_bytes).await,
        }
    }

    async fn download(&self, uri: &S3Uri) -> Result<Option<Download>, StoreError> {
        match self.files.get(uri) {
            Some(bytes) => {
                let bytes = bytes.clone();
                let stream = futures::stream::once(async move { Ok(bytes.clone()) }).boxed();
                let facts = Self::facts(&self.files[uri]);
                Ok(Some(Download { facts, stream }))
            }
            None if self.is_removed(uri).await? => Ok(None),
            None => self.inner.download(uri).await,
        }
    }

    async fn create(&self, uri: &S3Uri, _: Bytes, _: &str) -> Result<Created, StoreError> {
        Err(read_only("create", uri))
    }

    async fn upload(&self, uri: &S3Uri, _: ObjectStream) -> Result<Artifact, StoreError> {
        Err(read_only("upload", uri))
    }

    async fn delete(&self, uri: &S3Uri) -> Result<(), StoreError> {
        Err(read_only("delete", uri))
    }
}

/// Returns the refusal of a write.
fn read_only(operation: &'static str, uri: &S3Uri) -> StoreError {
    let source = std::io::Error::new(std::io::ErrorKind::ReadOnlyFilesystem, "nothing is written");
    StoreError::Unavailable {
        operation,
        uri: uri.clone(),
        retryable: false,
        source: Box::new(source),
    }
}
