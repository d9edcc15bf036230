//! Operations on one execution: describe, stop, retry, update, parameters, definition.

use serde::Deserialize;
use serde_json::{Value, json};
use sidestep_core::execution::start::Start;
use sidestep_core::name::ExecutionId;
use sidestep_core::view::description::ExecutionDescription;
use sidestep_core::view::experiment::{ExperimentNames, experiment_names};
use sidestep_engine::ports::pipelines::{Label, PipelineRecord};

use crate::api::Api;
use crate::checks::{Checks, EXECUTION_ARN, NAME, limit};
use crate::error::ApiError;
use crate::page::{PageRequest, page};
use crate::pipeline::Parallelism;
use crate::time::epoch;
use crate::version::aliases_of;

/// The most characters of a failure reason in DescribePipelineExecution, by the service model.
const FAILURE_REASON: usize = 1300;

/// The request of most operations on an execution.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ExecutionRequest {
    pipeline_execution_arn: Option<String>,
    parallelism_configuration: Option<Parallelism>,
    pipeline_execution_description: Option<String>,
    pipeline_execution_display_name: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

impl Api {
    /// Checks the members that these requests share, and returns the execution's id.
    async fn execution_of(&self, request: &ExecutionRequest) -> Result<ExecutionId, ApiError> {
        let mut checks = Checks::default();
        let arn = request.pipeline_execution_arn.as_ref();
        checks.required("pipelineExecutionArn", arn);
        checks.text("pipelineExecutionArn", arn, limit::ARN, Some(&EXECUTION_ARN));
        Parallelism::check(request.parallelism_configuration.as_ref(), &mut checks);
        let description = request.pipeline_execution_description.as_ref();
        checks.text("pipelineExecutionDescription", description, limit::DESCRIPTION, None);
        let display_name = request.pipeline_execution_display_name.as_ref();
        let chars = limit::DISPLAY_NAME;
        checks.text("pipelineExecutionDisplayName", display_name, chars, Some(&NAME));
        checks.page(request.max_results, request.next_token.as_ref());
        checks.finish()?;
        self.execution_id(arn.map(String::as_str).unwrap_or_default()).await
    }

    pub(crate) async fn describe_execution(
        &self,
        request: ExecutionRequest,
    ) -> Result<Value, ApiError> {
        let id = self.execution_of(&request).await?;
        let description = self.engine.describe(&id).await?;
        let loaded = self.engine.load(&id).await?;
        let label = self.label(&id).await?;
        let record = self.pipelines.pipeline(&loaded.start.pipeline_name).await?;
        let start = &loaded.start;
        let names = experiment_names(&loaded.pipeline, start);
        let version_id = self.version_of(&label, start, record.as_ref()).await?;
        let aliases = record.as_ref().zip(version_id).map(|(r, id)| aliases_of(r, id));
        Ok(json!({
            "PipelineArn": start.pipeline_arn,
            "PipelineExecutionArn": start.execution_arn(),
            "PipelineExecutionDisplayName": display_name(&label, start.started_at_ms),
            "PipelineExecutionStatus": description.pipeline_execution_status,
            "PipelineExecutionDescription": label.description,
            "PipelineExperimentConfig": experiment_config(&names),
            "FailureReason": description.failure_reason.as_deref().map(|why| cut(why, FAILURE_REASON)),
            "CreationTime": epoch(start.started_at_ms),
            "LastModifiedTime": epoch(description.changed_at_ms),
            "CreatedBy": {},
            "LastModifiedBy": {},
            "ParallelismConfiguration": Parallelism::describe(start.max_parallel_execution_steps),
            "SelectiveExecutionConfig": selection(&description),
            "PipelineVersionId": version_id,
            "PipelineVersionAliases": aliases,
            "MLflowConfig": mlflow_config(&names, &label),
        }))
    }

    pub(crate) async fn stop_execution(
        &self,
        request: ExecutionRequest,
    ) -> Result<Value, ApiError> {
        let id = self.execution_of(&request).await?;
        self.engine.stop(&id).await?;
        Ok(json!({ "PipelineExecutionArn": request.pipeline_execution_arn }))
    }

    pub(crate) async fn retry_execution(
        &self,
        request: ExecutionRequest,
    ) -> Result<Value, ApiError> {
        let id = self.execution_of(&request).await?;
        self.refuse_parallelism(&id, &request).await?;
        self.engine.retry(&id).await?;
        Ok(json!({ "PipelineExecutionArn": request.pipeline_execution_arn }))
    }

    pub(crate) async fn update_execution(
        &self,
        request: ExecutionRequest,
    ) -> Result<Value, ApiError> {
        let id = self.execution_of(&request).await?;
        self.refuse_parallelism(&id, &request).await?;
        let mut label = self.label(&id).await?;
        label.description = request.pipeline_execution_description.or(label.description);
        label.display_name = request.pipeline_execution_display_name.or(label.display_name);
        self.pipelines.put_label(&id, &label).await?;
        Ok(json!({ "PipelineExecutionArn": request.pipeline_execution_arn }))
    }

    /// Refuses to change the parallelism, which is part of the start. A start is never edited.
    async fn refuse_parallelism(
        &self,
        id: &ExecutionId,
        request: &ExecutionRequest,
    ) -> Result<(), ApiError> {
        let Some(steps) = Parallelism::steps(request.parallelism_configuration.as_ref()) else {
            return Ok(());
        };
        let now = self.engine.load(id).await?.start.max_parallel_execution_steps;
        if now == Some(steps) {
            return Ok(());
        }
        Err(ApiError::validation(
            "The ParallelismConfiguration of an execution cannot be changed; start a new one with it.",
        ))
    }

    pub(crate) async fn list_parameters(
        &self,
        request: ExecutionRequest,
    ) -> Result<Value, ApiError> {
        let id = self.execution_of(&request).await?;
        let description = self.engine.describe(&id).await?;
        let parameters = description.pipeline_parameters.into_iter().map(|(name, value)| {
            let line = json!({ "Name": name, "Value": text(&value) });
            (name, line)
        });
        let page = page(
            parameters.collect(),
            &PageRequest {
                list: format!("ListPipelineParametersForExecution {id}"),
                descending: false,
                max_results: request.max_results,
                next_token: request.next_token.as_ref(),
            },
        )?;
        Ok(json!({ "PipelineParameters": page.lines, "NextToken": page.next_token }))
    }

    pub(crate) async fn describe_definition(
        &self,
        request: ExecutionRequest,
    ) -> Result<Value, ApiError> {
        let id = self.execution_of(&request).await?;
        let start = self.engine.load(&id).await?.start;
        let text = self.json_text(&start.definition_digest, start.definition_format).await?;
        Ok(json!({ "PipelineDefinition": text, "CreationTime": epoch(start.started_at_ms) }))
    }

    async fn label(&self, id: &ExecutionId) -> Result<Label, ApiError> {
        let labels = self.pipelines.labels(std::slice::from_ref(id)).await?;
        Ok(labels.into_values().next().unwrap_or_default())
    }

    /// Returns the version that an execution runs. If the command started it, the definition tells.
    async fn version_of(
        &self,
        label: &Label,
        start: &Start,
        record: Option<&PipelineRecord>,
    ) -> Result<Option<u64>, ApiError> {
        let Some(record) = record.filter(|_| label.version_id.is_none()) else {
            return Ok(label.version_id);
        };
        let versions = self.pipelines.versions(&start.pipeline_name).await?;
        let of_it = versions.iter().filter(|version| {
            version.definition_digest == start.definition_digest
                && version.version_id <= record.latest_version
        });
        Ok(of_it.map(|version| version.version_id).max())
    }
}

pub(crate) fn display_name(label: &Label, started_at_ms: u64) -> String {
    label.display_name.clone().unwrap_or_else(|| format!("execution-{started_at_ms}"))
}

/// Returns the names of the experiment, which SageMaker writes in lower case, and of the trial.
fn experiment_config(names: &ExperimentNames) -> Option<Value> {
    let experiment_name = names.experiment_name.as_ref()?.to_lowercase();
    Some(json!({ "ExperimentName": experiment_name, "TrialName": names.trial_name }))
}

/// Returns the definition's configuration for MLflow. The name that was given at the start
/// overrides the definition's.
fn mlflow_config(names: &ExperimentNames, label: &Label) -> Option<Value> {
    let given = label.mlflow_experiment_name.as_ref();
    let experiment_name = given.or(names.mlflow_experiment_name.as_ref());
    let resource_arn = names.mlflow_resource_arn.as_ref();
    experiment_name.or(resource_arn).map(
        |_| json!({ "MlflowResourceArn": resource_arn, "MlflowExperimentName": experiment_name }),
    )
}

/// Returns the selection with the members that SageMaker has.
fn selection(description: &ExecutionDescription) -> Option<Value> {
    let config = description.selective_execution_config.as_ref()?;
    Some(json!({
        "SelectedSteps": config.selected_steps,
        "SourcePipelineExecutionArn": config.source_pipeline_execution_arn,
    }))
}

/// Returns a value as text. A value that is not a text is written as JSON.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the first characters of a text.
pub(crate) fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}
