//! The pipelines of a project, registered for the API's clients when the server starts.

use sidestep_core::name::PipelineName;
use sidestep_engine::memory::definitions::Definition;

use crate::api::Api;
use crate::error::ApiError;
use crate::record::too_busy;

/// A pipeline of `sidestep.toml`.
#[derive(Debug, Clone)]
pub struct ProjectPipeline {
    pub name: PipelineName,
    pub definition: Definition,
    pub max_parallel_execution_steps: Option<u32>,
}

/// The outcome of registering a project's pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// The pipeline has a new version.
    New,
    /// The pipeline is as it was.
    Unchanged,
    /// The latest version came through the API and stays.
    Kept,
}

impl Api {
    /// Registers a project's pipeline, unless its latest version is this one or came through the
    /// API.
    pub async fn register(&self, pipeline: &ProjectPipeline) -> Result<Registration, ApiError> {
        let (name, definition) = (&pipeline.name, &pipeline.definition);
        let before = self.pipelines.pipeline(name).await?;
        let live = before.clone().filter(|record| !record.is_deleted);
        let (mut record, version) = if let Some(mut record) = live {
            let latest = self.pipelines.version(name, record.latest_version).await?;
            if latest.is_some_and(|latest| {
                !latest.is_of_project && latest.definition_digest != definition.digest()
            }) {
                return Ok(Registration::Kept);
            }
            let Some(version) = self.next_version(&mut record, definition).await? else {
                return Ok(Registration::Unchanged);
            };
            record.revision += 1;
            (record, version)
        } else {
            let record = self.new_record(name, before.as_ref());
            let version = self.new_version(1, definition, record.created_at_ms).await?;
            (record, version)
        };
        record.modified_at_ms = self.engine.now_ms();
        record.max_parallel_execution_steps = pipeline.max_parallel_execution_steps;
        let version =
            sidestep_engine::ports::pipelines::VersionRecord { is_of_project: true, ..version };
        if self.pipelines.put_pipeline(&record, Some(&version)).await? {
            Ok(Registration::New)
        } else {
            Err(too_busy(name))
        }
    }
}
