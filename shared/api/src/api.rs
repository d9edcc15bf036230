//! The operations by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sidestep_engine::engine::Engine;
use sidestep_engine::ports::pipelines::PipelineStore;

use crate::error::ApiError;

/// Every operation that is answered; another one of SageMaker's is refused with this list.
pub const OPERATIONS: [&str; 21] = [
    "AddTags",
    "CreatePipeline",
    "DeletePipeline",
    "DeleteTags",
    "DescribePipeline",
    "DescribePipelineDefinitionForExecution",
    "DescribePipelineExecution",
    "ListPipelineExecutionSteps",
    "ListPipelineExecutions",
    "ListPipelineParametersForExecution",
    "ListPipelineVersions",
    "ListPipelines",
    "ListTags",
    "RetryPipelineExecution",
    "SendPipelineExecutionStepFailure",
    "SendPipelineExecutionStepSuccess",
    "StartPipelineExecution",
    "StopPipelineExecution",
    "UpdatePipeline",
    "UpdatePipelineExecution",
    "UpdatePipelineVersion",
];

/// SageMaker's API for pipelines over one deployment.
#[derive(Debug)]
pub struct Api {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pipelines: Arc<dyn PipelineStore>,
    /// Functions that cannot run here, by name, and why.
    pub(crate) left_out: BTreeMap<String, String>,
}

impl Api {
    /// Makes the API without any request. `left_out`: functions that cannot run here, by name, and why.
    pub fn new(
        engine: Arc<Engine>,
        pipelines: Arc<dyn PipelineStore>,
        left_out: BTreeMap<String, String>,
    ) -> Self {
        Self { engine, pipelines, left_out }
    }

    /// Answers a request: the operation's name without its service, and the JSON of its members.
    pub async fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, ApiError> {
        let mut answer = match operation {
            "AddTags" => self.add_tags(read(body)?).await,
            "DeleteTags" => self.delete_tags(read(body)?).await,
            "DescribePipeline" => self.describe_pipeline(read(body)?).await,
            "DescribePipelineDefinitionForExecution" => self.describe_definition(read(body)?).await,
            "DescribePipelineExecution" => self.describe_execution(read(body)?).await,
            "ListPipelineExecutionSteps" => self.list_steps(read(body)?).await,
            "ListPipelineExecutions" => self.list_executions(read(body)?).await,
            "ListPipelineParametersForExecution" => self.list_parameters(read(body)?).await,
            "ListPipelineVersions" => self.list_versions(read(body)?).await,
            "ListPipelines" => self.list_pipelines(read(body)?).await,
            "ListTags" => self.list_tags(read(body)?).await,
            "CreatePipeline"
            | "DeletePipeline"
            | "RetryPipelineExecution"
            | "SendPipelineExecutionStepFailure"
            | "SendPipelineExecutionStepSuccess"
            | "StartPipelineExecution"
            | "StopPipelineExecution" => self.once(operation, read(body)?).await,
            "UpdatePipeline" => self.update_pipeline(read(body)?).await,
            "UpdatePipelineExecution" => self.update_execution(read(body)?).await,
            "UpdatePipelineVersion" => self.update_version(read(body)?).await,
            _ => Err(unknown(operation)),
        }?;
        strip(&mut answer);
        Ok(answer)
    }
}

fn unknown(operation: &str) -> ApiError {
    let operation: String = operation.chars().take(80).collect();
    ApiError::UnknownOperation(format!(
        "sidestep does not have operation '{operation}'. It runs pipelines of Lambda functions and has: {}.",
        OPERATIONS.join(", ")
    ))
}

/// Reads a request; a member that does not fit is named by its path.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let request = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        ApiError::Serialization(format!("at '{path}': {}", error.into_inner()))
    })?;
    reader.end().map_err(|error| ApiError::Serialization(error.to_string()))?;
    Ok(request)
}

/// Clients take a member that is `null` for an ill-typed one.
fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let kept = std::mem::take(members).into_iter().filter(|(_, member)| !member.is_null());
            *members = kept.collect::<Map<_, _>>();
            members.values_mut().for_each(strip);
        }
        Value::Array(elements) => elements.iter_mut().for_each(strip),
        _ => {}
    }
}
