//! The API: what all operations share.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use sidestep_engine::engine::Engine;
use sidestep_engine::ports::pipelines::PipelineStore;

use crate::error::ApiError;

/// SageMaker's API for pipelines over one deployment.
#[derive(Debug)]
pub struct Api {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pipelines: Arc<dyn PipelineStore>,
    /// The functions that cannot run here, by name, and why.
    pub(crate) left_out: BTreeMap<String, String>,
}

impl Api {
    /// Makes the API without any request. `left_out` holds functions that cannot run here, and why.
    pub fn new(
        engine: Arc<Engine>,
        pipelines: Arc<dyn PipelineStore>,
        left_out: BTreeMap<String, String>,
    ) -> Self {
        Self { engine, pipelines, left_out }
    }
}

/// Reads a request. A member that does not fit is named by its path.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let request = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        ApiError::Serialization(format!("at '{path}': {}", error.into_inner()))
    })?;
    reader.end().map_err(|error| ApiError::Serialization(error.to_string()))?;
    Ok(request)
}
