//! DescribePipeline and ListPipelines.

use serde::Deserialize;
use serde_json::{Value, json};
use sidestep_engine::ports::pipelines::PipelineRecord;

use crate::api::Api;
use crate::checks::{Checks, NAME, NAME_OR_ARN, limit};
use crate::error::ApiError;
use crate::page::{PageRequest, page};
use crate::pipeline::Parallelism;
use crate::time::{epoch, is_between};
use crate::version::aliases_of;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DescribeRequest {
    #[serde(rename = "PipelineName")]
    name: Option<String>,
    #[serde(rename = "PipelineVersionId")]
    version_id: Option<i64>,
    #[serde(rename = "PipelineVersionAlias")]
    version_alias: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListRequest {
    pipeline_name_prefix: Option<String>,
    created_after: Option<f64>,
    created_before: Option<f64>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    managed_by: Option<String>,
}

impl Api {
    pub(crate) async fn describe_pipeline(
        &self,
        request: DescribeRequest,
    ) -> Result<Value, ApiError> {
        let mut checks = Checks::default();
        let name = request.name.as_ref();
        checks.required("pipelineName", name);
        checks.text("pipelineName", name, limit::ARN, Some(&NAME_OR_ARN));
        checks.finish()?;
        let name = Self::name(name.map(String::as_str).unwrap_or_default())?;
        let record = self.record(&name).await?;
        let alias = request.version_alias.as_deref();
        let version = self.chosen_version(&record, request.version_id, alias).await?;
        let last = self.last_run(&record).await?;
        Ok(json!({
            "PipelineArn": self.pipeline_arn(&name),
            "PipelineName": name,
            "PipelineDisplayName": record.display_name.as_deref().unwrap_or(name.as_str()),
            "PipelineDefinition": self.definition_json(&version).await?,
            "PipelineDescription": record.description,
            "RoleArn": record.role_arn,
            "PipelineStatus": "Active",
            "CreationTime": epoch(record.created_at_ms),
            "LastModifiedTime": epoch(record.modified_at_ms),
            "LastRunTime": last.map(epoch),
            "CreatedBy": {},
            "LastModifiedBy": {},
            "ParallelismConfiguration": Parallelism::describe(record.max_parallel_execution_steps),
            "PipelineVersionDisplayName": version.display_name,
            "PipelineVersionDescription": version.description,
            "PipelineVersionAliases": aliases_of(&record, version.version_id),
        }))
    }

    pub(crate) async fn list_pipelines(&self, request: ListRequest) -> Result<Value, ApiError> {
        let mut checks = Checks::default();
        let prefix = request.pipeline_name_prefix.as_ref();
        checks.text("pipelineNamePrefix", prefix, limit::NAME, Some(&NAME));
        checks.one_of("sortBy", request.sort_by.as_ref(), &["Name", "CreationTime"]);
        checks.one_of("managedBy", request.managed_by.as_ref(), &["AWS", "CUSTOMER"]);
        checks.order(request.sort_order.as_ref());
        checks.page(request.max_results, request.next_token.as_ref());
        checks.finish()?;
        let by_name = request.sort_by.as_deref() == Some("Name");
        let is_listed = |record: &PipelineRecord| {
            let name = record.pipeline_name.as_str();
            !record.is_deleted
                && request.managed_by.as_deref() != Some("AWS")
                && prefix.is_none_or(|prefix| name.starts_with(prefix.as_str()))
                && is_between(record.created_at_ms, request.created_after, request.created_before)
        };
        let records = self.pipelines.pipelines().await?;
        let keyed = records.into_iter().filter(is_listed).map(|record| {
            let name = &record.pipeline_name;
            let key = if by_name {
                name.to_string()
            } else {
                format!("{:015}#{name}", record.created_at_ms)
            };
            (key, record)
        });
        let page = page(
            keyed.collect(),
            &PageRequest {
                list: format!("ListPipelines {by_name} {prefix:?} {:?}", request.sort_order),
                descending: request.sort_order.as_deref() != Some("Ascending"),
                max_results: request.max_results,
                next_token: request.next_token.as_ref(),
            },
        )?;
        let mut summaries = Vec::new();
        for record in page.lines {
            let name = &record.pipeline_name;
            summaries.push(json!({
                "PipelineArn": self.pipeline_arn(name),
                "PipelineName": name,
                "PipelineDisplayName": record.display_name.as_deref().unwrap_or(name.as_str()),
                "PipelineDescription": record.description,
                "RoleArn": record.role_arn,
                "CreationTime": epoch(record.created_at_ms),
                "LastModifiedTime": epoch(record.modified_at_ms),
                "LastExecutionTime": self.last_run(&record).await?.map(epoch),
            }));
        }
        Ok(json!({ "PipelineSummaries": summaries, "NextToken": page.next_token }))
    }

    /// Returns when the newest visible execution was started.
    async fn last_run(&self, record: &PipelineRecord) -> Result<Option<u64>, ApiError> {
        let newest = self.engine.executions().list(Some(&record.pipeline_name), 1).await?;
        let started_at_ms = newest.first().map(|line| line.started_at_ms);
        Ok(started_at_ms.filter(|started| *started > record.hidden_until_ms))
    }
}
