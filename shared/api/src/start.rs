//! StartPipelineExecution.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use sidestep_engine::ports::pipelines::Label;
use sidestep_engine::start::StartRequest;
use sidestep_engine::start::selection::{SelectionRequest, SourceRequest};

use crate::api::Api;
use crate::checks::{ALIAS, Checks, EXECUTION_ARN, NAME, NAME_OR_ARN, PARAMETER_NAME, limit};
use crate::error::ApiError;
use crate::pipeline::Parallelism;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct StartExecutionRequest {
    pipeline_name: Option<String>,
    pipeline_execution_display_name: Option<String>,
    pipeline_parameters: Option<Vec<Parameter>>,
    pipeline_execution_description: Option<String>,
    parallelism_configuration: Option<Parallelism>,
    selective_execution_config: Option<SelectiveExecutionConfig>,
    pipeline_version_id: Option<i64>,
    pipeline_version_alias: Option<String>,
    mlflow_experiment_name: Option<String>,
    role_arn: Option<String>,
}

/// A name with a value: of a parameter or an output.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Parameter {
    pub(crate) name: Option<String>,
    pub(crate) value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SelectiveExecutionConfig {
    selected_steps: Option<Vec<SelectedStep>>,
    source_pipeline_execution_arn: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SelectedStep {
    step_name: Option<String>,
}

impl StartExecutionRequest {
    fn check(&self) -> Result<(), ApiError> {
        let mut checks = Checks::default();
        let name = self.pipeline_name.as_ref();
        checks.required("pipelineName", name);
        checks.text("pipelineName", name, limit::ARN, Some(&NAME_OR_ARN));
        let display_name = self.pipeline_execution_display_name.as_ref();
        let chars = limit::DISPLAY_NAME;
        checks.text("pipelineExecutionDisplayName", display_name, chars, Some(&NAME));
        let description = self.pipeline_execution_description.as_ref();
        checks.text("pipelineExecutionDescription", description, limit::DESCRIPTION, None);
        Parallelism::check(self.parallelism_configuration.as_ref(), &mut checks);
        if let Some(parameters) = &self.pipeline_parameters {
            checks.count("pipelineParameters", parameters.len(), 0..=200);
            for parameter in parameters {
                let (name, value) = (parameter.name.as_ref(), parameter.value.as_ref());
                checks.required("pipelineParameters.member.name", name);
                let member = "pipelineParameters.member.name";
                checks.text(member, name, limit::NAME, Some(&PARAMETER_NAME));
                checks.required("pipelineParameters.member.value", value);
                checks.text("pipelineParameters.member.value", value, limit::VALUE, None);
            }
        }
        if let Some(config) = &self.selective_execution_config {
            let steps = config.selected_steps.as_ref();
            checks.required("selectiveExecutionConfig.selectedSteps", steps);
            if let Some(steps) = steps {
                checks.count("selectiveExecutionConfig.selectedSteps", steps.len(), 1..=50);
                for step in steps {
                    let member = "selectiveExecutionConfig.selectedSteps.member.stepName";
                    checks.required(member, step.step_name.as_ref());
                    checks.text(member, step.step_name.as_ref(), 0..=256, None);
                }
            }
            let source = config.source_pipeline_execution_arn.as_ref();
            let member = "selectiveExecutionConfig.sourcePipelineExecutionArn";
            checks.text(member, source, limit::ARN, Some(&EXECUTION_ARN));
        }
        let alias = self.pipeline_version_alias.as_ref();
        checks.text("pipelineVersionAlias", alias, limit::ALIAS, Some(&ALIAS));
        let experiment = self.mlflow_experiment_name.as_ref();
        checks.text("mlflowExperimentName", experiment, limit::MLFLOW_EXPERIMENT, None);
        checks.finish()?;
        if self.role_arn.is_some() {
            let text = "RoleArn is not supported: functions have their own roles.";
            return Err(ApiError::validation(text));
        }
        Ok(())
    }

    fn parameters(&self) -> Result<BTreeMap<String, String>, ApiError> {
        let mut parameters = BTreeMap::new();
        for parameter in self.pipeline_parameters.iter().flatten() {
            let name = parameter.name.clone().unwrap_or_default();
            let value = parameter.value.clone().unwrap_or_default();
            if parameters.insert(name.clone(), value).is_some() {
                return Err(ApiError::validation(format!("Parameter '{name}' is given twice.")));
            }
        }
        Ok(parameters)
    }
}

impl Api {
    pub(crate) async fn start_execution(
        &self,
        request: StartExecutionRequest,
        token: Option<&str>,
    ) -> Result<Value, ApiError> {
        request.check()?;
        let name = Self::name(request.pipeline_name.as_deref().unwrap_or_default())?;
        let record = self.record(&name).await?;
        let alias = request.pipeline_version_alias.as_deref();
        let version = self.chosen_version(&record, request.pipeline_version_id, alias).await?;
        let digest = &version.definition_digest;
        let definition = self.engine.definition(digest, version.definition_format).await?;
        let parsed = sidestep_core::parse::parse(definition.text.as_bytes(), definition.format)
            .map_err(|problems| crate::error::definition(&problems))?;
        let steps = Parallelism::steps(request.parallelism_configuration.as_ref());
        let prepared = self
            .engine
            .prepare(StartRequest {
                pipeline_name: name,
                definition,
                parameters: request.parameters()?,
                use_cache: true,
                left_out: parsed.pipeline.left_out(&self.left_out),
                trigger: "StartPipelineExecution".to_owned(),
                token: token.map(|token| format!("StartPipelineExecution {token}")),
                selection: self.selection(request.selective_execution_config.as_ref()).await?,
                max_parallel_execution_steps: steps.or(record.max_parallel_execution_steps),
            })
            .await?;
        let label = Label {
            display_name: request.pipeline_execution_display_name,
            description: request.pipeline_execution_description,
            version_id: Some(version.version_id),
            mlflow_experiment_name: request.mlflow_experiment_name,
        };
        // The label is written first, so that the execution is never seen without it.
        self.pipelines.put_label(&prepared.start.execution_id, &label).await?;
        let arn = prepared.start.execution_arn();
        self.engine.begin(prepared).await?;
        Ok(json!({ "PipelineExecutionArn": arn }))
    }

    async fn selection(
        &self,
        config: Option<&SelectiveExecutionConfig>,
    ) -> Result<SelectionRequest, ApiError> {
        let Some(config) = config else { return Ok(SelectionRequest::default()) };
        let steps = config.selected_steps.iter().flatten();
        let source = match &config.source_pipeline_execution_arn {
            Some(arn) => SourceRequest::Execution(self.execution_id(arn).await?),
            None => SourceRequest::None,
        };
        Ok(SelectionRequest {
            select: steps.filter_map(|step| step.step_name.clone()).collect(),
            source,
            ..SelectionRequest::default()
        })
    }
}
