//! The port to registered pipelines: names, versions, aliases, tags and labels of executions.
//!
//! Definitions are in S3 under the digest of their text, and a version points to one. A record
//! carries a revision. A change is accepted only on the revision that it was made from, so that of
//! two updates at once, one has to read again.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::parse::Format;

use crate::ports::executions::TableError;

/// A registered pipeline, or the rest of a deleted one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PipelineRecord {
    /// Counts from 1. Each change adds one.
    pub revision: u64,
    pub pipeline_name: PipelineName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel_execution_steps: Option<u32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Versions by alias.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, u64>,
    pub latest_version: u64,
    pub created_at_ms: u64,
    pub modified_at_ms: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deleted: bool,
    /// When a pipeline of this name was last deleted. Executions up to that time are not shown.
    #[serde(default)]
    pub hidden_until_ms: u64,
}

/// One version of a pipeline's definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VersionRecord {
    /// From 1.
    pub version_id: u64,
    pub definition_digest: String,
    pub definition_format: Format,
    pub created_at_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// True if it came from the project's `sidestep.toml` and not through the API.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_of_project: bool,
}

/// What a caller of the SageMaker API said about an execution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Label {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<u64>,
    /// The name that was given at the start in place of the definition's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mlflow_experiment_name: Option<String>,
}

/// A request that was answered, found again by its idempotency token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answered {
    /// SHA-256 of the request without its token.
    pub request: String,
    /// The answer, as JSON.
    pub answer: String,
    /// Seconds since 1970 after which the token is free again. Answers of older releases have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

impl Answered {
    /// Returns true if the answer still counts. Stores delete it some time after that.
    pub fn is_valid(&self, now_ms: u64) -> bool {
        self.expires_at.is_none_or(|expires_at| now_ms / 1000 < expires_at)
    }
}

/// Registered pipelines. Every method may be repeated without harm.
#[async_trait]
pub trait PipelineStore: Send + Sync + std::fmt::Debug {
    /// Returns a pipeline, also a deleted one.
    async fn pipeline(&self, name: &PipelineName) -> Result<Option<PipelineRecord>, TableError>;

    /// Returns all pipelines by name, also deleted ones.
    async fn pipelines(&self) -> Result<Vec<PipelineRecord>, TableError>;

    /// Writes a record, and with it a version, if the stored revision is the one before. For
    /// revision 1, there must be none.
    ///
    /// Returns `false` if another writer was first. Then nothing was written.
    async fn put_pipeline(
        &self,
        record: &PipelineRecord,
        version: Option<&VersionRecord>,
    ) -> Result<bool, TableError>;

    /// Returns one version of a pipeline.
    async fn version(
        &self,
        name: &PipelineName,
        version_id: u64,
    ) -> Result<Option<VersionRecord>, TableError>;

    /// Returns all versions, oldest first.
    async fn versions(&self, name: &PipelineName) -> Result<Vec<VersionRecord>, TableError>;

    /// Writes the label of an execution.
    async fn put_label(&self, id: &ExecutionId, label: &Label) -> Result<(), TableError>;

    /// Returns the labels of these executions. An execution without a label is left out.
    async fn labels(&self, of: &[ExecutionId]) -> Result<BTreeMap<ExecutionId, Label>, TableError>;

    /// Returns the answer under a key of operation and token, if it is valid now.
    async fn answered(&self, key: &str, now_ms: u64) -> Result<Option<Answered>, TableError>;

    /// Remembers an answer, unless a valid one exists. Returns the one that counts.
    async fn remember(
        &self,
        key: &str,
        answered: &Answered,
        now_ms: u64,
    ) -> Result<Answered, TableError>;
}
