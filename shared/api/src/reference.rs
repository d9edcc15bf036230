//! Pipelines and executions as requests refer to them.

use sidestep_core::execution::start::Start;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_engine::ports::pipelines::PipelineRecord;

use crate::api::Api;
use crate::error::ApiError;

impl Api {
    /// Returns the ARN of a pipeline of this deployment.
    pub(crate) fn pipeline_arn(&self, name: &PipelineName) -> String {
        let deployment = self.engine.deployment();
        format!("arn:aws:sagemaker:{}:{}:pipeline/{name}", deployment.region, deployment.account_id)
    }

    /// Returns the name in a name or an ARN. Region and account are not compared.
    pub(crate) fn name(text: &str) -> Result<PipelineName, ApiError> {
        let name = text.rsplit('/').next().unwrap_or(text);
        PipelineName::parse(name).map_err(|error| ApiError::validation(error.to_string()))
    }

    /// Returns a pipeline that is registered and not deleted.
    pub(crate) async fn record(&self, name: &PipelineName) -> Result<PipelineRecord, ApiError> {
        let record = self.pipelines.pipeline(name).await?;
        record.filter(|record| !record.is_deleted).ok_or_else(|| self.no_pipeline(name))
    }

    pub(crate) fn no_pipeline(&self, name: &PipelineName) -> ApiError {
        ApiError::NotFound(format!("Pipeline '{}' does not exist.", self.pipeline_arn(name)))
    }

    /// Returns the id in the ARN of a visible execution.
    pub(crate) async fn execution_id(&self, arn: &str) -> Result<ExecutionId, ApiError> {
        let not_found =
            || ApiError::NotFound(format!("Pipeline execution with ARN '{arn}' does not exist."));
        let (pipeline, id) = arn.rsplit_once("/execution/").ok_or_else(not_found)?;
        let id = ExecutionId::parse(id).map_err(|_| not_found())?;
        let start = self.engine.executions().start(&id).await?.ok_or_else(not_found)?;
        let name = pipeline.rsplit('/').next().unwrap_or_default();
        if start.pipeline_name.as_str() != name || self.is_deleted(&start).await? {
            return Err(not_found());
        }
        Ok(id)
    }

    async fn is_deleted(&self, start: &Start) -> Result<bool, ApiError> {
        let record = self.pipelines.pipeline(&start.pipeline_name).await?;
        Ok(record.is_some_and(|record| start.started_at_ms <= record.hidden_until_ms))
    }
}
