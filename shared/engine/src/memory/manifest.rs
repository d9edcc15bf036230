//! Reads manifests. The planner, the sweep and the repair read them here, under one limit.

use sidestep_core::execution::manifest::{Manifest, VERSION};
use sidestep_core::limits::MANIFEST_BYTES;
use sidestep_core::uri::S3Uri;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::ports::objects::StoreError;

/// What is at a manifest's place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ManifestRead {
    Found(Box<Manifest>),
    /// There is no object.
    Gone,
    /// The object is not a manifest. The text says why.
    Unreadable(String),
    /// A newer release wrote it.
    Newer(u32),
    /// The object has more than [`MANIFEST_BYTES`].
    TooLarge(u64),
}

impl Engine {
    /// Reads the manifest at `uri`. A store that fails is an error, and everything else an answer.
    pub(crate) async fn read_manifest(&self, uri: &S3Uri) -> Result<ManifestRead, EngineError> {
        let bytes = match self.objects.get(uri, MANIFEST_BYTES as u64).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(ManifestRead::Gone),
            Err(StoreError::TooLarge { bytes, .. }) => return Ok(ManifestRead::TooLarge(bytes)),
            Err(error) => return Err(error.into()),
        };
        Ok(match serde_json::from_slice::<Manifest>(&bytes) {
            Ok(manifest) if manifest.version > VERSION => ManifestRead::Newer(manifest.version),
            Ok(manifest) => ManifestRead::Found(Box::new(manifest)),
            Err(error) => ManifestRead::Unreadable(error.to_string()),
        })
    }
}
