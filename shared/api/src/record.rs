//! Records of pipelines: created, changed, given a new version.

use std::collections::BTreeMap;

use sidestep_core::name::PipelineName;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::ports::pipelines::{PipelineRecord, VersionRecord};

use crate::api::Api;
use crate::error::ApiError;

impl Api {
    /// Returns the first record of a name, or the next one after a deleted pipeline's.
    pub(crate) fn new_record(
        &self,
        name: &PipelineName,
        before: Option<&PipelineRecord>,
    ) -> PipelineRecord {
        let now_ms = self.engine.now_ms();
        PipelineRecord {
            revision: before.map_or(1, |record| record.revision + 1),
            pipeline_name: name.clone(),
            display_name: None,
            description: None,
            role_arn: None,
            max_parallel_execution_steps: None,
            tags: BTreeMap::new(),
            aliases: BTreeMap::new(),
            latest_version: 1,
            created_at_ms: now_ms,
            modified_at_ms: now_ms,
            is_deleted: false,
            hidden_until_ms: before.map_or(0, |record| record.hidden_until_ms),
        }
    }

    /// Registers the definition, which checks it, and returns a new version with it.
    pub(crate) async fn new_version(
        &self,
        version_id: u64,
        definition: &Definition,
        created_at_ms: u64,
    ) -> Result<VersionRecord, ApiError> {
        Ok(VersionRecord {
            version_id,
            definition_digest: self.engine.register(definition).await?,
            definition_format: definition.format,
            created_at_ms,
            display_name: None,
            description: None,
            is_of_project: false,
        })
    }

    /// Returns a new version, unless the latest one has the same text.
    pub(crate) async fn next_version(
        &self,
        record: &mut PipelineRecord,
        definition: &Definition,
    ) -> Result<Option<VersionRecord>, ApiError> {
        let latest = self.pipelines.version(&record.pipeline_name, record.latest_version).await?;
        if latest.is_some_and(|latest| latest.definition_digest == definition.digest()) {
            return Ok(None);
        }
        record.latest_version += 1;
        let now_ms = self.engine.now_ms();
        Ok(Some(self.new_version(record.latest_version, definition, now_ms).await?))
    }

    /// Writes a changed record. Returns false if another change came in between.
    pub(crate) async fn change(
        &self,
        record: &mut PipelineRecord,
        version: Option<&VersionRecord>,
    ) -> Result<bool, ApiError> {
        record.revision += 1;
        record.modified_at_ms = self.engine.now_ms();
        Ok(self.pipelines.put_pipeline(record, version).await?)
    }
}

pub(crate) fn too_busy(name: &PipelineName) -> ApiError {
    ApiError::Conflict(format!("Pipeline '{name}' is being changed by others; try again."))
}
