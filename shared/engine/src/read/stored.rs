//! Reads definitions and objects that a caller names.

use bytes::Bytes;
use sidestep_core::parse::Format;
use sidestep_core::uri::S3Uri;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::memory::definitions::Definition;

impl Engine {
    /// Returns the text of a registered definition.
    pub async fn definition(
        &self,
        digest: &str,
        format: Format,
    ) -> Result<Definition, EngineError> {
        self.definitions.read(digest, format).await
    }

    /// Returns an object of at most `max_bytes` that a caller points at, or `None` if there is
    /// none.
    pub async fn object(&self, uri: &S3Uri, max_bytes: u64) -> Result<Option<Bytes>, EngineError> {
        Ok(self.objects.get(uri, max_bytes).await?)
    }
}
