//! An object store in memory, for tests of steps and of the engine.
//!
//! It passes the same suite as S3 (`sidestep_testkit::object`). It counts operations by name, so
//! that a test can assert the calls made and not the time taken. It has no versions, and a bucket
//! exists once an object is in it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use parking_lot::{Mutex, MutexGuard};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::uri::S3Uri;

use super::{
    Created, Download, ObjectFacts, ObjectStore, ObjectStream, StoreError, check_key, sha256_hex,
};

/// Objects by URI. Share it behind an `Arc`.
#[derive(Debug, Default)]
pub struct MemoryObjectStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<S3Uri, Object>,
    counts: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    sha256: String,
    /// True if this port wrote the object and thus recorded its SHA-256.
    recorded: bool,
}

impl Object {
    fn facts(&self) -> ObjectFacts {
        let kind = if self.recorded { "sha256" } else { "etag" };
        ObjectFacts {
            bytes: self.bytes.len() as u64,
            digest: format!("{kind}:{}", self.tag(self.recorded)),
        }
    }

    fn tag(&self, recorded: bool) -> &str {
        if recorded { &self.sha256 } else { &self.sha256[..32] }
    }
}

impl MemoryObjectStore {
    /// Puts an object as a user would, without a recorded SHA-256. It replaces an existing one.
    pub fn put(&self, uri: &S3Uri, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let object = Object { sha256: sha256_hex(&bytes), bytes, recorded: false };
        self.lock().objects.insert(uri.clone(), object);
    }

    /// Returns all objects, in order of URI.
    pub fn objects(&self) -> BTreeMap<S3Uri, Bytes> {
        let state = self.lock();
        state.objects.iter().map(|(uri, object)| (uri.clone(), object.bytes.clone())).collect()
    }

    /// Returns how often each operation of the port was called.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.lock().counts.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn find(&self, operation: &'static str, uri: &S3Uri) -> Option<Object> {
        let mut state = self.lock();
        *state.counts.entry(operation).or_default() += 1;
        state.objects.get(uri).cloned()
    }

    fn insert(&self, operation: &'static str, uri: &S3Uri, bytes: Bytes) -> Result<(), Object> {
        let mut state = self.lock();
        *state.counts.entry(operation).or_default() += 1;
        if let Some(object) = state.objects.get(uri) {
            return Err(object.clone());
        }
        let object = Object { sha256: sha256_hex(&bytes), bytes, recorded: true };
        state.objects.insert(uri.clone(), object);
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for MemoryObjectStore {
    async fn head(&self, uri: &S3Uri) -> Result<Option<ObjectFacts>, StoreError> {
        check_key(uri)?;
        Ok(self.find("head", uri).map(|object| object.facts()))
    }

    async fn list(
        &self,
        prefix: &S3Uri,
        limit: usize,
    ) -> Result<Vec<(String, ObjectFacts)>, StoreError> {
        let mut state = self.lock();
        *state.counts.entry("list").or_default() += 1;
        let mut found = Vec::new();
        for (uri, object) in state.objects.range(prefix.clone()..) {
            if uri.bucket() != prefix.bucket() || !uri.key().starts_with(prefix.key()) {
                break;
            }
            if found.len() == limit {
                return Err(StoreError::TooManyObjects { prefix: prefix.clone(), limit });
            }
            let digest = format!("etag:{}", object.tag(false));
            let facts = ObjectFacts { bytes: object.bytes.len() as u64, digest };
            found.push((uri.key().to_owned(), facts));
        }
        Ok(found)
    }

    async fn get(&self, uri: &S3Uri, max_bytes: u64) -> Result<Option<Bytes>, StoreError> {
        check_key(uri)?;
        let Some(object) = self.find("get", uri) else { return Ok(None) };
        let bytes = object.bytes.len() as u64;
        if bytes > max_bytes {
            return Err(StoreError::TooLarge { uri: uri.clone(), bytes, limit: max_bytes });
        }
        Ok(Some(object.bytes))
    }

    async fn download(&self, uri: &S3Uri) -> Result<Option<Download>, StoreError> {
        check_key(uri)?;
        let Some(object) = self.find("download", uri) else { return Ok(None) };
        let facts = object.facts();
        // Several pieces, so that a reader which takes the first for the whole is found out.
        let pieces: Vec<Bytes> =
            object.bytes.chunks(64 * 1024).map(|piece| object.bytes.slice_ref(piece)).collect();
        Ok(Some(Download { facts, stream: futures::stream::iter(pieces).map(Ok).boxed() }))
    }

    async fn create(
        &self,
        uri: &S3Uri,
        bytes: Bytes,
        _content_type: &str,
    ) -> Result<Created, StoreError> {
        check_key(uri)?;
        let inserted = self.insert("create", uri, bytes);
        Ok(if inserted.is_ok() { Created::New } else { Created::Exists })
    }

    async fn upload(&self, uri: &S3Uri, stream: ObjectStream) -> Result<Artifact, StoreError> {
        check_key(uri)?;
        let gather = |mut all: BytesMut, piece: Bytes| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        };
        let source = |source| StoreError::Source { uri: uri.clone(), source };
        let bytes = stream.try_fold(BytesMut::new(), gather).await.map_err(source)?.freeze();
        let sha256 = sha256_hex(&bytes);
        let length = bytes.len() as u64;
        match self.insert("upload", uri, bytes) {
            Err(other) if other.sha256 != sha256 => Err(StoreError::Conflict { uri: uri.clone() }),
            _ => Ok(Artifact { uri: uri.clone(), bytes: length, sha256 }),
        }
    }

    async fn delete(&self, uri: &S3Uri) -> Result<(), StoreError> {
        check_key(uri)?;
        let mut state = self.lock();
        *state.counts.entry("delete").or_default() += 1;
        state.objects.remove(uri);
        Ok(())
    }
}
