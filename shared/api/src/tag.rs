//! AddTags, ListTags and DeleteTags, for pipelines.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};
use sidestep_core::name::PipelineName;
use sidestep_engine::ports::pipelines::PipelineRecord;

use crate::api::Api;
use crate::checks::{Checks, PIPELINE_ARN, RESOURCE_ARN, limit};
use crate::error::ApiError;
use crate::page::{PageRequest, page};
use crate::record::too_busy;

/// The most tags of a pipeline, by the service model.
const TAGS: usize = 50;

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Tag {
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TagsRequest {
    resource_arn: Option<String>,
    tags: Option<Vec<Tag>>,
    tag_keys: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

pub(crate) fn check_tags(tags: Option<&[Tag]>, checks: &mut Checks) {
    let tags = tags.unwrap_or_default();
    checks.count("tags", tags.len(), 0..=TAGS);
    let mut keys = BTreeSet::new();
    for tag in tags {
        checks.required("tags.member.key", tag.key.as_ref());
        checks.text("tags.member.key", tag.key.as_ref(), 1..=128, None);
        checks.required("tags.member.value", tag.value.as_ref());
        checks.text("tags.member.value", tag.value.as_ref(), 0..=256, None);
        keys.insert(tag.key.as_deref());
    }
    if keys.len() < tags.len() {
        // This reports a constraint that a list with a repeated key cannot meet.
        checks.count("tags", tags.len(), 0..=keys.len());
    }
}

impl Api {
    pub(crate) async fn add_tags(&self, request: TagsRequest) -> Result<Value, ApiError> {
        let mut checks = Checks::default();
        checks.required("tags", request.tags.as_ref());
        check_tags(request.tags.as_deref(), &mut checks);
        let name = resource(&request, checks)?;
        let mut record = self.record(&name).await?;
        let tags = request.tags.into_iter().flatten();
        record.tags.extend(tags.filter_map(|tag| Some((tag.key?, tag.value?))));
        if record.tags.len() > TAGS {
            let text = format!("Pipeline '{name}' would have more than {TAGS} tags.");
            return Err(ApiError::LimitExceeded(text));
        }
        self.retag(&mut record).await?;
        Ok(json!({ "Tags": listed(&record) }))
    }

    pub(crate) async fn delete_tags(&self, request: TagsRequest) -> Result<Value, ApiError> {
        let mut checks = Checks::default();
        checks.required("tagKeys", request.tag_keys.as_ref());
        let keys = request.tag_keys.as_deref().unwrap_or_default();
        checks.count("tagKeys", keys.len(), 1..=TAGS);
        let name = resource(&request, checks)?;
        let mut record = self.record(&name).await?;
        for key in keys {
            record.tags.remove(key);
        }
        self.retag(&mut record).await?;
        Ok(json!({}))
    }

    pub(crate) async fn list_tags(&self, request: TagsRequest) -> Result<Value, ApiError> {
        let mut checks = Checks::default();
        checks.number("maxResults", request.max_results, 50..=i64::MAX);
        checks.text("nextToken", request.next_token.as_ref(), limit::NEXT_TOKEN, None);
        let name = resource(&request, checks)?;
        let record = self.record(&name).await?;
        let tags = record
            .tags
            .iter()
            .map(|(key, value)| (key.clone(), json!({ "Key": key, "Value": value })));
        let page = page(
            tags.collect(),
            &PageRequest {
                list: format!("ListTags {name}"),
                descending: false,
                max_results: request.max_results,
                next_token: request.next_token.as_ref(),
            },
        )?;
        Ok(json!({ "Tags": page.lines, "NextToken": page.next_token }))
    }

    async fn retag(&self, record: &mut PipelineRecord) -> Result<(), ApiError> {
        if self.change(record, None).await? { Ok(()) } else { Err(too_busy(&record.pipeline_name)) }
    }
}

/// Returns the pipeline that a request is about. Nothing else has tags here.
fn resource(request: &TagsRequest, mut checks: Checks) -> Result<PipelineName, ApiError> {
    let arn = request.resource_arn.as_ref();
    checks.required("resourceArn", arn);
    checks.text("resourceArn", arn, 0..=256, Some(&RESOURCE_ARN));
    checks.finish()?;
    let mut checks = Checks::default();
    checks.text("resourceArn", arn, limit::ARN, Some(&PIPELINE_ARN));
    checks.finish()?;
    Api::name(arn.map(String::as_str).unwrap_or_default())
}

fn listed(record: &PipelineRecord) -> Vec<Value> {
    record.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}
