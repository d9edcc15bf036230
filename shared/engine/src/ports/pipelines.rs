//! The port to registered pipelines: names, versions, aliases, tags, and what callers of the SageMaker API said about executions.
//!
//! Definitions lie in S3 under the digest of their text; a version is a pointer to one. A record carries a revision, and a change is
//! accepted only on the revision that it was made from, so that of two updates at once one is told to look again.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::parse::Format;

use crate::ports::executions::TableError;

/// A registered pipeline, or what is left of a deleted one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PipelineRecord {
    /// 1 for the first; each change adds one.
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
    /// When a pipeline of this name was last deleted: its executions up to then are not shown any more.
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
    /// Whether it came from the project's `sidestep.toml`, not through the API.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_of_project: bool,
}

/// What a caller said about an execution, beside what it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Label {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<u64>,
}

/// A request that was answered, found again by its idempotency token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answered {
    /// SHA-256 of the request without its token.
    pub request: String,
    /// The answer, as JSON.
    pub answer: String,
    /// Seconds since 1970 from which on the token is free again. Answers of before there was an end have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

impl Answered {
    /// Whether it still counts. Stores delete what does not some time later.
    pub fn is_valid(&self, now_ms: u64) -> bool {
        self.expires_at.is_none_or(|expires_at| now_ms / 1000 < expires_at)
    }
}

/// Registered pipelines. Every method may be repeated without harm.
#[async_trait]
pub trait PipelineStore: Send + Sync + std::fmt::Debug {
    /// A pipeline, deleted ones included.
    async fn pipeline(&self, name: &PipelineName) -> Result<Option<PipelineRecord>, TableError>;

    /// All pipelines by name, deleted ones included.
    async fn pipelines(&self) -> Result<Vec<PipelineRecord>, TableError>;

    /// Writes a record, and with it a version, if the stored revision is the one before; for revision 1, if there is none.
    /// `false`: someone else was first, and nothing was written.
    async fn put_pipeline(
        &self,
        record: &PipelineRecord,
        version: Option<&VersionRecord>,
    ) -> Result<bool, TableError>;

    async fn version(
        &self,
        name: &PipelineName,
        version_id: u64,
    ) -> Result<Option<VersionRecord>, TableError>;

    /// All versions that were written, oldest first.
    async fn versions(&self, name: &PipelineName) -> Result<Vec<VersionRecord>, TableError>;

    async fn put_label(&self, id: &ExecutionId, label: &Label) -> Result<(), TableError>;

    /// The labels of these executions; one without a label is left out.
    async fn labels(&self, of: &[ExecutionId]) -> Result<BTreeMap<ExecutionId, Label>, TableError>;

    /// What was answered under a key of operation and token, and is valid now.
    async fn answered(&self, key: &str, now_ms: u64) -> Result<Option<Answered>, TableError>;

    /// Remembers an answer, unless there is one that is valid now, and returns the one that counts.
    async fn remember(
        &self,
        key: &str,
        answered: &Answered,
        now_ms: u64,
    ) -> Result<Answered, TableError>;
}
