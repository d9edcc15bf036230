//! DeletePipeline.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Api;
use crate::checks::{Checks, NAME, limit};
use crate::error::ApiError;
use crate::record::too_busy;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeleteRequest {
    pipeline_name: Option<String>,
}

impl Api {
    /// Deletes a pipeline. Its name and its executions are gone for clients.
    ///
    /// Their results in the cache stay usable, and `sidestep cache gc` removes the rest.
    pub(crate) async fn delete_pipeline(&self, request: DeleteRequest) -> Result<Value, ApiError> {
        let mut checks = Checks::default();
        let name = request.pipeline_name.as_ref();
        checks.required("pipelineName", name);
        checks.text("pipelineName", name, limit::NAME, Some(&NAME));
        checks.finish()?;
        let name = Self::name(name.map(String::as_str).unwrap_or_default())?;
        let mut record = self.record(&name).await?;
        let executions = self.engine.executions();
        for id in executions.live().await? {
            let start = executions.start(&id).await?;
            if let Some(start) = start.filter(|start| start.pipeline_name == name) {
                return Err(ApiError::Conflict(format!(
                    "Pipeline '{name}' has an execution that is not over: {}.",
                    start.execution_arn()
                )));
            }
        }
        record.is_deleted = true;
        record.hidden_until_ms = self.engine.now_ms();
        record.tags.clear();
        record.aliases.clear();
        if self.change(&mut record, None).await? {
            Ok(json!({ "PipelineArn": self.pipeline_arn(&name) }))
        } else {
            Err(too_busy(&name))
        }
    }
}
