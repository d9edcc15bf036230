//! Definitions in S3: stored under the digest of their text, read once per process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sidestep_core::definition::Pipeline;
use sidestep_core::limits::DEFINITION_BYTES;
use sidestep_core::parse::Format;
use sidestep_core::uri::S3Uri;

use crate::engine::EngineError;
use crate::ports::objects::{ObjectStore, sha256_hex};

/// Definitions kept in memory; the oldest digest makes room.
const KEPT: usize = 64;

/// A definition's text and how to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub text: String,
    pub format: Format,
}

impl Definition {
    pub fn digest(&self) -> String {
        sha256_hex(self.text.as_bytes())
    }
}

/// Reads and writes definitions below `definitions/` of the artifact bucket.
#[derive(Debug)]
pub(crate) struct Definitions {
    objects: Arc<dyn ObjectStore>,
    bucket: String,
    parsed: Mutex<BTreeMap<String, Arc<Pipeline>>>,
    /// Digests that this process has stored.
    stored: Mutex<BTreeSet<String>>,
}

impl Definitions {
    pub(crate) fn new(objects: Arc<dyn ObjectStore>, bucket: String) -> Self {
        Self { objects, bucket, parsed: Mutex::default(), stored: Mutex::default() }
    }

    fn uri(&self, digest: &str) -> S3Uri {
        S3Uri::new(self.bucket.clone(), format!("definitions/{digest}"))
    }

    /// Stores a definition whose text was parsed before.
    pub(crate) async fn put(
        &self,
        definition: &Definition,
        pipeline: Arc<Pipeline>,
    ) -> Result<(), EngineError> {
        let digest = definition.digest();
        let is_stored =
            self.stored.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest);
        if is_stored {
            return Ok(());
        }
        let bytes = Bytes::from(definition.text.clone().into_bytes());
        // Under the digest of its own text an object that exists is the same one.
        self.objects.create(&self.uri(&digest), bytes, "text/plain; charset=utf-8").await?;
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        if stored.len() >= KEPT {
            stored.pop_first();
        }
        stored.insert(digest.clone());
        drop(stored);
        self.keep(digest, pipeline);
        Ok(())
    }

    /// The definition with this digest.
    pub(crate) async fn get(
        &self,
        digest: &str,
        format: Format,
    ) -> Result<Arc<Pipeline>, EngineError> {
        let kept = self.parsed.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        if let Some(pipeline) = kept {
            return Ok(pipeline);
        }
        let definition = self.read(digest, format).await?;
        let parsed = sidestep_core::parse::parse(definition.text.as_bytes(), format)
            .map_err(EngineError::Definition)?;
        let pipeline = Arc::new(parsed.pipeline);
        self.keep(digest.to_owned(), Arc::clone(&pipeline));
        Ok(pipeline)
    }

    /// The text of the definition with this digest.
    pub(crate) async fn read(
        &self,
        digest: &str,
        format: Format,
    ) -> Result<Definition, EngineError> {
        let missing = || EngineError::DefinitionMissing { digest: digest.to_owned() };
        let bytes = self.objects.get(&self.uri(digest), DEFINITION_BYTES as u64).await?;
        let bytes = bytes.filter(|bytes| sha256_hex(bytes) == digest).ok_or_else(missing)?;
        let text = String::from_utf8(bytes.into()).map_err(|_| missing())?;
        Ok(Definition { text, format })
    }

    fn keep(&self, digest: String, pipeline: Arc<Pipeline>) {
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if parsed.len() >= KEPT {
            parsed.pop_first();
        }
        parsed.insert(digest, pipeline);
    }
}
