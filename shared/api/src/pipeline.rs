//! CreatePipeline and UpdatePipeline.

use serde::Deserialize;
use serde_json::{Value, json};
use sidestep_core::name::PipelineName;
use sidestep_engine::ports::pipelines::PipelineRecord;

use crate::api::Api;
use crate::checks::{ALIAS, Checks, NAME, ROLE_ARN, limit};
use crate::definition::S3Location;
use crate::error::ApiError;
use crate::record::too_busy;
use crate::tag::{Tag, check_tags};
use crate::version::assign;

/// The most tries of a change that loses against concurrent ones.
const RACES: usize = 20;

/// The request of CreatePipeline and UpdatePipeline.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PipelineRequest {
    pipeline_name: Option<String>,
    pipeline_display_name: Option<String>,
    pipeline_definition: Option<String>,
    pipeline_definition_s3_location: Option<S3Location>,
    pipeline_description: Option<String>,
    role_arn: Option<String>,
    tags: Option<Vec<Tag>>,
    parallelism_configuration: Option<Parallelism>,
    pipeline_version_aliases: Option<Vec<String>>,
}
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Parallelism {
    pub(crate) max_parallel_execution_steps: Option<i64>,
}

impl Parallelism {
    pub(crate) fn check(this: Option<&Self>, checks: &mut Checks) {
        let Some(this) = this else { return };
        let member = "parallelismConfiguration.maxParallelExecutionSteps";
        checks.required(member, this.max_parallel_execution_steps.as_ref());
        checks.number(member, this.max_parallel_execution_steps, limit::AT_LEAST_ONE);
    }

    /// Returns the limit of a request that was checked.
    pub(crate) fn steps(this: Option<&Self>) -> Option<u32> {
        u32::try_from(this?.max_parallel_execution_steps?).ok()
    }

    pub(crate) fn describe(steps: Option<u32>) -> Option<Value> {
        steps.map(|steps| json!({ "MaxParallelExecutionSteps": steps }))
    }
}

impl PipelineRequest {
    fn check(&self) -> Checks {
        let mut checks = Checks::default();
        checks.required("pipelineName", self.pipeline_name.as_ref());
        checks.text("pipelineName", self.pipeline_name.as_ref(), limit::NAME, Some(&NAME));
        let display_name = self.pipeline_display_name.as_ref();
        checks.text("pipelineDisplayName", display_name, limit::NAME, Some(&NAME));
        let definition = self.pipeline_definition.as_ref();
        checks.text("pipelineDefinition", definition, limit::DEFINITION, None);
        let description = self.pipeline_description.as_ref();
        checks.text("pipelineDescription", description, limit::DESCRIPTION, None);
        checks.text("roleArn", self.role_arn.as_ref(), limit::ROLE, Some(&ROLE_ARN));
        Parallelism::check(self.parallelism_configuration.as_ref(), &mut checks);
        if let Some(location) = &self.pipeline_definition_s3_location {
            location.check(&mut checks);
        }
        if let Some(aliases) = &self.pipeline_version_aliases {
            checks.count("pipelineVersionAliases", aliases.len(), 0..=10);
            for alias in aliases {
                checks.text("pipelineVersionAliases", Some(alias), limit::ALIAS, Some(&ALIAS));
            }
        }
        check_tags(self.tags.as_deref(), &mut checks);
        checks
    }

    fn name(&self) -> Result<PipelineName, ApiError> {
        Api::name(self.pipeline_name.as_deref().unwrap_or_default())
    }

    fn apply(&self, record: &mut PipelineRecord) {
        let replace = |old: &mut Option<String>, new: &Option<String>| {
            if new.is_some() {
                old.clone_from(new);
            }
        };
        replace(&mut record.display_name, &self.pipeline_display_name);
        replace(&mut record.description, &self.pipeline_description);
        replace(&mut record.role_arn, &self.role_arn);
        let steps = Parallelism::steps(self.parallelism_configuration.as_ref());
        record.max_parallel_execution_steps = steps.or(record.max_parallel_execution_steps);
    }
}

impl Api {
    pub(crate) async fn create_pipeline(
        &self,
        request: PipelineRequest,
    ) -> Result<Value, ApiError> {
        let mut checks = request.check();
        checks.required("roleArn", request.role_arn.as_ref());
        checks.finish()?;
        let name = request.name()?;
        let text = request.pipeline_definition.as_ref();
        let location = request.pipeline_definition_s3_location.as_ref();
        let definition = self.given_definition(text, location).await?.ok_or_else(|| {
            let text = "Either PipelineDefinition or PipelineDefinitionS3Location must be given.";
            ApiError::validation(text)
        })?;
        let before = self.pipelines.pipeline(&name).await?;
        let exists = || {
            ApiError::validation(format!(
                "Pipeline names must be unique within an AWS account and region. Pipeline with name ({name}) already exists."
            ))
        };
        if before.as_ref().is_some_and(|record| !record.is_deleted) {
            return Err(exists());
        }
        let mut record = self.new_record(&name, before.as_ref());
        request.apply(&mut record);
        let tags = request.tags.iter().flatten();
        record.tags = tags.filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect();
        assign(&mut record, 1, request.pipeline_version_aliases.as_deref().unwrap_or_default())?;
        let version = self.new_version(1, &definition, record.created_at_ms).await?;
        if !self.pipelines.put_pipeline(&record, Some(&version)).await? {
            return Err(exists());
        }
        Ok(json!({ "PipelineArn": self.pipeline_arn(&name) }))
    }

    pub(crate) async fn update_pipeline(
        &self,
        request: PipelineRequest,
    ) -> Result<Value, ApiError> {
        request.check().finish()?;
        let name = request.name()?;
        let mut record = self.record(&name).await?;
        let text = request.pipeline_definition.as_ref();
        let location = request.pipeline_definition_s3_location.as_ref();
        let definition = self.given_definition(text, location).await?;
        for _ in 0..RACES {
            request.apply(&mut record);
            let version = match &definition {
                Some(definition) => self.next_version(&mut record, definition).await?,
                None => None,
            };
            let aliases = request.pipeline_version_aliases.as_deref().unwrap_or_default();
            let latest = record.latest_version;
            assign(&mut record, latest, aliases)?;
            if self.change(&mut record, version.as_ref()).await? {
                let arn = self.pipeline_arn(&name);
                return Ok(json!({ "PipelineArn": arn, "PipelineVersionId": latest }));
            }
            record = self.record(&name).await?;
        }
        Err(too_busy(&name))
    }
}
