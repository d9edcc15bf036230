//! Versions of a pipeline and their aliases: ListPipelineVersions, UpdatePipelineVersion.

use serde::Deserialize;
use serde_json::{Value, json};
use sidestep_engine::ports::pipelines::{PipelineRecord, VersionRecord};

use crate::api::Api;
use crate::checks::{ALIAS, Checks, NAME, NAME_OR_ARN, PIPELINE_ARN, limit};
use crate::error::ApiError;
use crate::page::{PageRequest, page};
use crate::record::too_busy;
use crate::time::{epoch, is_between};

/// The most aliases of one version, by the service model.
const ALIASES: usize = 10;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListVersionsRequest {
    pipeline_name: Option<String>,
    created_after: Option<f64>,
    created_before: Option<f64>,
    sort_order: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(clippy::struct_field_names, reason = "the service's names")]
pub(crate) struct UpdateVersionRequest {
    pipeline_arn: Option<String>,
    pipeline_version_id: Option<i64>,
    pipeline_version_display_name: Option<String>,
    pipeline_version_description: Option<String>,
    pipeline_version_alias_operations: Option<AliasOperations>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct AliasOperations {
    add: Option<Vec<String>>,
    remove: Option<Vec<String>>,
}

impl Api {
    pub(crate) async fn list_versions(
        &self,
        request: ListVersionsRequest,
    ) -> Result<Value, ApiError> {
        let mut checks = Checks::default();
        let name = request.pipeline_name.as_ref();
        checks.required("pipelineName", name);
        checks.text("pipelineName", name, limit::ARN, Some(&NAME_OR_ARN));
        checks.order(request.sort_order.as_ref());
        checks.page(request.max_results, request.next_token.as_ref());
        checks.finish()?;
        let name = Self::name(name.map(String::as_str).unwrap_or_default())?;
        let record = self.record(&name).await?;
        let is_listed = |version: &VersionRecord| {
            // A deleted pipeline of the same name may have had more versions.
            version.version_id <= record.latest_version
                && is_between(version.created_at_ms, request.created_after, request.created_before)
        };
        let versions = self.pipelines.versions(&name).await?.into_iter().filter(is_listed);
        let page = page(
            versions.map(|version| (format!("{:010}", version.version_id), version)).collect(),
            &PageRequest {
                list: format!("ListPipelineVersions {name} {:?}", request.sort_order),
                descending: request.sort_order.as_deref() != Some("Ascending"),
                max_results: request.max_results,
                next_token: request.next_token.as_ref(),
            },
        )?;
        let arn = self.pipeline_arn(&name);
        let summary = |version: &VersionRecord| {
            json!({
                "PipelineArn": arn,
                "PipelineVersionId": version.version_id,
                "CreationTime": epoch(version.created_at_ms),
                "PipelineVersionDescription": version.description,
                "PipelineVersionDisplayName": version.display_name,
                "PipelineVersionAliases": aliases_of(&record, version.version_id),
            })
        };
        let summaries: Vec<_> = page.lines.iter().map(summary).collect();
        Ok(json!({ "PipelineVersionSummaries": summaries, "NextToken": page.next_token }))
    }

    pub(crate) async fn update_version(
        &self,
        request: UpdateVersionRequest,
    ) -> Result<Value, ApiError> {
        let mut checks = Checks::default();
        let arn = request.pipeline_arn.as_ref();
        checks.required("pipelineArn", arn);
        checks.text("pipelineArn", arn, limit::ARN, Some(&PIPELINE_ARN));
        checks.required("pipelineVersionId", request.pipeline_version_id.as_ref());
        checks.number("pipelineVersionId", request.pipeline_version_id, 1..=i64::MAX);
        let display_name = request.pipeline_version_display_name.as_ref();
        let chars = limit::DISPLAY_NAME;
        checks.text("pipelineVersionDisplayName", display_name, chars, Some(&NAME));
        let description = request.pipeline_version_description.as_ref();
        checks.text("pipelineVersionDescription", description, limit::DESCRIPTION, None);
        let operations = request.pipeline_version_alias_operations.unwrap_or_default();
        let (add, remove) =
            (operations.add.unwrap_or_default(), operations.remove.unwrap_or_default());
        for alias in add.iter().chain(&remove) {
            let member = "pipelineVersionAliasOperations";
            checks.text(member, Some(alias), limit::ALIAS, Some(&ALIAS));
        }
        checks.finish()?;
        let name = Self::name(arn.map(String::as_str).unwrap_or_default())?;
        let mut record = self.record(&name).await?;
        let mut version = self.chosen_version(&record, request.pipeline_version_id, None).await?;
        for alias in &remove {
            if record.aliases.remove(alias) != Some(version.version_id) {
                return Err(no_alias(alias));
            }
        }
        assign(&mut record, version.version_id, &add)?;
        version.display_name = display_name.cloned().or(version.display_name);
        version.description = description.cloned().or(version.description);
        if !self.change(&mut record, Some(&version)).await? {
            return Err(too_busy(&name));
        }
        let arn = self.pipeline_arn(&name);
        Ok(json!({ "PipelineArn": arn, "PipelineVersionId": version.version_id }))
    }

    /// Returns the version that a request names by number or alias, or else the latest.
    pub(crate) async fn chosen_version(
        &self,
        record: &PipelineRecord,
        id: Option<i64>,
        alias: Option<&str>,
    ) -> Result<VersionRecord, ApiError> {
        let mut checks = Checks::default();
        checks.number("pipelineVersionId", id, 1..=i64::MAX);
        let alias_text = alias.map(str::to_owned);
        checks.text("pipelineVersionAlias", alias_text.as_ref(), limit::ALIAS, Some(&ALIAS));
        checks.finish()?;
        let version_id = match (id.and_then(|id| u64::try_from(id).ok()), alias) {
            (Some(_), Some(_)) => {
                let text = "PipelineVersionId and PipelineVersionAlias must not both be given.";
                return Err(ApiError::validation(text));
            }
            (Some(id), None) => id,
            (None, Some(alias)) => *record.aliases.get(alias).ok_or_else(|| no_alias(alias))?,
            (None, None) => record.latest_version,
        };
        let name = &record.pipeline_name;
        let version = if version_id <= record.latest_version {
            self.pipelines.version(name, version_id).await?
        } else {
            None
        };
        version.ok_or_else(|| {
            ApiError::NotFound(format!("Pipeline '{name}' has no version {version_id}."))
        })
    }
}

fn no_alias(alias: &str) -> ApiError {
    ApiError::NotFound(format!("Pipeline version alias '{alias}' does not exist."))
}

pub(crate) fn aliases_of(record: &PipelineRecord, version_id: u64) -> Vec<String> {
    let of = record.aliases.iter().filter(|(_, version)| **version == version_id);
    of.map(|(alias, _)| alias.clone()).collect()
}

/// Assigns aliases to a version. An alias belongs to one version at a time.
pub(crate) fn assign(
    record: &mut PipelineRecord,
    version_id: u64,
    aliases: &[String],
) -> Result<(), ApiError> {
    for alias in aliases {
        if alias.bytes().all(|byte| byte.is_ascii_digit()) {
            let text = format!("Pipeline version alias '{alias}' must not be digits only.");
            return Err(ApiError::validation(text));
        }
        match record.aliases.insert(alias.clone(), version_id) {
            Some(other) if other != version_id => {
                return Err(ApiError::Conflict(format!(
                    "Pipeline version alias '{alias}' is of version {other}; remove it there first."
                )));
            }
            _ => {}
        }
    }
    if aliases_of(record, version_id).len() > ALIASES {
        let text = format!("A pipeline version has at most {ALIASES} aliases.");
        return Err(ApiError::LimitExceeded(text));
    }
    Ok(())
}
