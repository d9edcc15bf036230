//! The API: what all operations share.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use sidestep_engine::engine::Engine;
use sidestep_engine::ports::pipelines::PipelineStore;

use crate::error::ApiError;

/// The answer to a request: the HTTP status and the body; `None` if the operation is unknown.
pub type OtherAnswer<'a> = Pin<Box<dyn Future<Output = Option<(u16, Value)>> + Send + 'a>>;

/// Operations of SageMaker that another service answers on the same address, such as those on jobs.
pub trait OtherOperations: Send + Sync + Debug {
    /// Answers a request that was admitted.
    fn answer<'a>(&'a self, operation: &'a str, body: &'a [u8]) -> OtherAnswer<'a>;
}

/// SageMaker's API for pipelines over one deployment.
#[derive(Debug)]
pub struct Api {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pipelines: Arc<dyn PipelineStore>,
    /// The functions that cannot run here, by name, and why.
    pub(crate) left_out: BTreeMap<String, String>,
    /// What is asked first.
    pub(crate) others: Option<Arc<dyn OtherOperations>>,
}

impl Api {
    /// Makes the API without any request. `left_out` holds functions that cannot run here, and why.
    pub fn new(
        engine: Arc<Engine>,
        pipelines: Arc<dyn PipelineStore>,
        left_out: BTreeMap<String, String>,
    ) -> Self {
        Self { engine, pipelines, left_out, others: None }
    }

    /// Adds operations that another service answers.
    pub fn with_others(self, others: Option<Arc<dyn OtherOperations>>) -> Self {
        Self { others, ..self }
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
