//! ListPipelineExecutions.

use serde::Deserialize;
use serde_json::{Value, json};
use sidestep_engine::pipelines::PipelineRecord;
use sidestep_engine::store::Summary;

use crate::api::Api;
use crate::checks::{ALIAS, Checks, NAME_OR_ARN, limit};
use crate::error::ApiError;
use crate::execution::display_name;
use crate::page::{PageRequest, page};
use crate::time::{epoch, is_between};
use crate::version::aliases_of;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListExecutionsRequest {
    pipeline_name: Option<String>,
    created_after: Option<f64>,
    created_before: Option<f64>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    pipeline_version_alias: Option<String>,
}

impl Api {
    pub(crate) async fn list_executions(
        &self,
        request: ListExecutionsRequest,
    ) -> Result<Value, ApiError> {
        let mut checks = Checks::default();
        let name = request.pipeline_name.as_ref();
        checks.required("pipelineName", name);
        checks.text("pipelineName", name, limit::ARN, Some(&NAME_OR_ARN));
        let keys = ["CreationTime", "PipelineExecutionArn"];
        checks.one_of("sortBy", request.sort_by.as_ref(), &keys);
        let alias = request.pipeline_version_alias.as_ref();
        checks.text("pipelineVersionAlias", alias, limit::ALIAS, Some(&ALIAS));
        checks.order(request.sort_order.as_ref());
        checks.page(request.max_results, request.next_token.as_ref());
        checks.finish()?;
        let name = Self::name(name.map(String::as_str).unwrap_or_default())?;
        let record = self.pipelines.pipeline(&name).await?;
        let hidden_until_ms = record.as_ref().map_or(0, |record| record.hidden_until_ms);
        let lines = self.engine.executions().list(Some(&name), usize::MAX).await?;
        let is_listed = |line: &Summary| {
            line.started_at_ms > hidden_until_ms
                && is_between(line.started_at_ms, request.created_after, request.created_before)
        };
        let is_known = record.as_ref().is_some_and(|record| !record.is_deleted);
        // One that was run from a file has executions without being registered.
        if !is_known && !lines.iter().any(|line| line.started_at_ms > hidden_until_ms) {
            return Err(self.no_pipeline(&name));
        }
        let mut lines: Vec<_> = lines.into_iter().filter(is_listed).collect();
        if let Some(alias) = alias {
            lines = self.of_alias(lines, record.as_ref(), alias).await?;
        }
        let by_arn = request.sort_by.as_deref() == Some("PipelineExecutionArn");
        let key = |line: &Summary| {
            if by_arn {
                line.execution_id.to_string()
            } else {
                format!("{:015}#{}", line.started_at_ms, line.execution_id)
            }
        };
        let page = page(
            lines.into_iter().map(|line| (key(&line), line)).collect(),
            &PageRequest {
                list: format!("ListPipelineExecutions {name} {by_arn} {:?}", request.sort_order),
                descending: request.sort_order.as_deref() != Some("Ascending"),
                max_results: request.max_results,
                next_token: request.next_token.as_ref(),
            },
        )?;
        let ids: Vec<_> = page.lines.iter().map(|line| line.execution_id.clone()).collect();
        let mut labels = self.pipelines.labels(&ids).await?;
        let pipeline_arn = self.pipeline_arn(&name);
        let summaries = page.lines.into_iter().map(|line| {
            let label = labels.remove(&line.execution_id).unwrap_or_default();
            let aliases = record.as_ref().zip(label.version_id).map(|(r, id)| aliases_of(r, id));
            json!({
                "PipelineExecutionArn": format!("{pipeline_arn}/execution/{}", line.execution_id),
                "StartTime": epoch(line.started_at_ms),
                "PipelineExecutionStatus": line.status.name(),
                "PipelineExecutionDescription": label.description,
                "PipelineExecutionDisplayName": display_name(&label, line.started_at_ms),
                "PipelineExecutionFailureReason": line.failure_reason,
                "PipelineVersionAliases": aliases,
            })
        });
        let summaries: Vec<_> = summaries.collect();
        Ok(json!({ "PipelineExecutionSummaries": summaries, "NextToken": page.next_token }))
    }

    async fn of_alias(
        &self,
        lines: Vec<Summary>,
        record: Option<&PipelineRecord>,
        alias: &str,
    ) -> Result<Vec<Summary>, ApiError> {
        let version_id = record.and_then(|record| record.aliases.get(alias)).copied();
        let ids: Vec<_> = lines.iter().map(|line| line.execution_id.clone()).collect();
        let labels = self.pipelines.labels(&ids).await?;
        let is_of = |line: &Summary| {
            version_id.is_some()
                && labels.get(&line.execution_id).and_then(|label| label.version_id) == version_id
        };
        Ok(lines.into_iter().filter(is_of).collect())
    }
}
