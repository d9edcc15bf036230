//! Definitions in S3, stored under the digest of their text and parsed once per process.

use std::sync::Arc;

use bytes::Bytes;
use sidestep_core::definition::Pipeline;
use sidestep_core::limits::DEFINITION_BYTES;
use sidestep_core::parse::Format;
use sidestep_core::uri::S3Uri;

use crate::error::EngineError;
use crate::memory::cache::BoundedCache;
use crate::ports::objects::{ObjectStore, sha256_hex};

/// Definitions kept in memory.
const KEPT: usize = 64;

/// A definition's text and how to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub text: String,
    pub format: Format,
}

impl Definition {
    /// Returns the SHA-256 of the text, under which the definition is stored.
    pub fn digest(&self) -> String {
        sha256_hex(self.text.as_bytes())
    }
}

/// Reads and writes definitions below `definitions/` of the artifact bucket.
#[derive(Debug)]
pub(crate) struct Definitions {
    objects: Arc<dyn ObjectStore>,
    bucket: String,
    parsed: BoundedCache<String, Arc<Pipeline>>,
    /// Digests that this process has stored.
    stored: BoundedCache<String, ()>,
}

impl Definitions {
    pub(crate) fn new(objects: Arc<dyn ObjectStore>, bucket: String) -> Self {
        let (parsed, stored) = (BoundedCache::new(KEPT), BoundedCache::new(KEPT));
        Self { objects, bucket, parsed, stored }
    }

    fn uri(&self, digest: &str) -> S3Uri {
        S3Uri::new(self.bucket.clone(), format!("definitions/{digest}"))
    }

    /// Stores a definition whose text the caller has parsed.
    pub(crate) async fn put(
        &self,
        definition: &Definition,
        pipeline: Arc<Pipeline>,
    ) -> Result<(), EngineError> {
        let digest = definition.digest();
        if self.stored.get(&digest).is_some() {
            return Ok(());
        }
        let bytes = Bytes::from(definition.text.clone().into_bytes());
        // An object that exists under the digest of this text has the same text.
        self.objects.create(&self.uri(&digest), bytes, "text/plain; charset=utf-8").await?;
        self.stored.insert(digest.clone(), ());
        self.parsed.insert(digest, pipeline);
        Ok(())
    }

    /// Returns the parsed definition with this digest.
    pub(crate) async fn get(
        &self,
        digest: &str,
        format: Format,
    ) -> Result<Arc<Pipeline>, EngineError> {
        if let Some(pipeline) = self.parsed.get(digest) {
            return Ok(pipeline);
        }
        let definition = self.read(digest, format).await?;
        let parsed = sidestep_core::parse::parse(definition.text.as_bytes(), format)
            .map_err(EngineError::Definition)?;
        let pipeline = Arc::new(parsed.pipeline);
        self.parsed.insert(digest.to_owned(), Arc::clone(&pipeline));
        Ok(pipeline)
    }

    /// Returns the text of the definition with this digest.
    pub(crate) async fn read(
        &self,
        digest: &str,
        format: Format,
    ) -> Result<Definition, EngineError> {
        let missing = || EngineError::DefinitionMissing { digest: digest.to_owned() };
        let stored = self.objects.get(&self.uri(digest), DEFINITION_BYTES as u64).await?;
        let bytes = stored.filter(|bytes| sha256_hex(bytes) == digest).ok_or_else(missing)?;
        let text = String::from_utf8(bytes.into()).map_err(|_| missing())?;
        Ok(Definition { text, format })
    }
}
