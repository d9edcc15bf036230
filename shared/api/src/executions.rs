//! ListPipelineExecutions.

use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::{Value, json};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_engine::ports::executions::{ListRange, Place, Summary};

use crate::api::Api;
use crate::checks::{ALIAS, Checks, NAME_OR_ARN, limit};
use crate::error::ApiError;
use crate::execution::display_name;
use crate::page::{self, Page, PageRequest};
use crate::time::{epoch, milliseconds};
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
        let list = Listing {
            name: &name,
            version_id: alias.and_then(|alias| record.as_ref()?.aliases.get(alias).copied()),
            started_at_ms: range(hidden_until_ms, request.created_after, request.created_before),
        };
        let by_arn = request.sort_by.as_deref() == Some("PipelineExecutionArn");
        let page_request = PageRequest {
            list: format!("ListPipelineExecutions {name} {by_arn} {:?}", request.sort_order),
            descending: request.sort_order.as_deref() != Some("Ascending"),
            max_results: request.max_results,
            next_token: request.next_token.as_ref(),
        };
        let is_no_alias = alias.is_some() && list.version_id.is_none();
        let page = if is_no_alias {
            Page { lines: Vec::new(), next_token: None }
        } else if by_arn {
            self.page_by_arn(&list, &page_request).await?
        } else {
            self.page_by_time(&list, &page_request).await?
        };
        let is_known = record.as_ref().is_some_and(|record| !record.is_deleted);
        // A pipeline that was run from a file has executions without being registered.
        if !is_known && page.lines.is_empty() {
            let last = self.engine.executions().list(Some(&name), 1).await?;
            if last.first().is_none_or(|last| last.started_at_ms <= hidden_until_ms) {
                return Err(self.no_pipeline(&name));
            }
        }
        let ids: Vec<_> = page.lines.iter().map(|line| line.execution_id.clone()).collect();
        let mut labels = self.pipelines.labels(&ids).await?;
        let pipeline_arn = self.pipeline_arn(&name);
        let summary_of = |line: Summary| {
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
        };
        let summaries: Vec<_> = page.lines.into_iter().map(summary_of).collect();
        Ok(json!({ "PipelineExecutionSummaries": summaries, "NextToken": page.next_token }))
    }

    /// Reads a page by time. The table has the list in this order, so no more than a page is read.
    async fn page_by_time(
        &self,
        list: &Listing<'_>,
        request: &PageRequest<'_>,
    ) -> Result<Page<Summary>, ApiError> {
        let after = page::after(request)?;
        let mut range = ListRange {
            started_at_ms: list.started_at_ms.clone(),
            newest_first: request.descending,
            after: after.as_deref().map(place).transpose()?,
            // One more line shows whether there is another page.
            limit: request.size() + 1,
        };
        let mut found = Vec::new();
        loop {
            let lines = self.engine.executions().list_range(list.name, &range).await?;
            let is_last = lines.len() < range.limit;
            range.after = lines.last().map(Summary::place);
            found.extend(self.of_alias(lines, list).await?);
            // A part of the list may hold few executions of an alias, so more parts are read.
            if is_last || found.len() > request.size() {
                break;
            }
        }
        let key = |line: &Summary| format!("{:015}#{}", line.started_at_ms, line.execution_id);
        Ok(page::cut(found.into_iter().map(|line| (key(&line), line)).collect(), request))
    }

    /// Reads a page by ARN. Ids are random and sorted nowhere, so all lines are read.
    async fn page_by_arn(
        &self,
        list: &Listing<'_>,
        request: &PageRequest<'_>,
    ) -> Result<Page<Summary>, ApiError> {
        let mut lines = self.engine.executions().list(Some(list.name), usize::MAX).await?;
        lines.retain(|line| list.started_at_ms.contains(&line.started_at_ms));
        let lines = self.of_alias(lines, list).await?;
        let keyed = lines.into_iter().map(|line| (line.execution_id.to_string(), line));
        page::page(keyed.collect(), request)
    }

    /// Keeps the executions of the alias that is asked for. Without an alias, keeps all.
    async fn of_alias(
        &self,
        lines: Vec<Summary>,
        list: &Listing<'_>,
    ) -> Result<Vec<Summary>, ApiError> {
        if list.version_id.is_none() {
            return Ok(lines);
        }
        let ids: Vec<_> = lines.iter().map(|line| line.execution_id.clone()).collect();
        let labels = self.pipelines.labels(&ids).await?;
        let is_of = |line: &Summary| {
            labels.get(&line.execution_id).and_then(|label| label.version_id) == list.version_id
        };
        Ok(lines.into_iter().filter(is_of).collect())
    }
}

/// The executions that are listed.
#[derive(Debug)]
struct Listing<'a> {
    name: &'a PipelineName,
    /// The version of the alias that is asked for, if any.
    version_id: Option<u64>,
    started_at_ms: RangeInclusive<u64>,
}

/// Returns the moments between two times, excluding both, as the API does.
fn range(hidden_until_ms: u64, after: Option<f64>, before: Option<f64>) -> RangeInclusive<u64> {
    let after = after.map_or(0, milliseconds).max(hidden_until_ms);
    let first = if after == 0 { 0 } else { after.saturating_add(1) };
    match before.map(milliseconds) {
        None => first..=u64::MAX,
        // No execution was started before 1970.
        Some(0) => RangeInclusive::new(1, 0),
        Some(before) => first..=before - 1,
    }
}

/// Returns the place in the list that a page token names.
fn place(key: &str) -> Result<Place, ApiError> {
    let (started_at_ms, id) = key.split_once('#').ok_or_else(page::foreign)?;
    let started_at_ms = started_at_ms.parse().map_err(|_| page::foreign())?;
    let execution_id = ExecutionId::parse(id).map_err(|_| page::foreign())?;
    Ok(Place { started_at_ms, execution_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_list_exclude_their_ends_and_what_was_deleted() {
        assert_eq!(range(0, None, None), 0..=u64::MAX);
        assert_eq!(range(5, None, None), 6..=u64::MAX);
        assert_eq!(range(5, Some(1.0), Some(2.0)), 1001..=1999);
        assert_eq!(range(5000, Some(1.0), None), 5001..=u64::MAX);
        assert!(range(0, None, Some(-1.0)).is_empty());
        assert!(range(0, Some(2.0), Some(2.0)).is_empty());
        assert!(range(u64::MAX, None, Some(0.0)).is_empty());
    }
}
