//! Results: what an attempt produced, and earlier results that stand in for a step. These are cache
//! entries, hits, reused and supplied outputs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cache::key::{CacheKey, KeyParts, canonical_sha256};
use crate::execution::manifest::Artifact;
use crate::execution::witness::Witness;
use crate::name::{ExecutionId, ParameterName, StepName};
use crate::uri::S3Uri;

/// The result of a successful attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Produced {
    pub outputs: Outputs,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// How long the function worked.
    pub duration_ms: u64,
}

/// The JSON object that a function returned, undeclared keys included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outputs {
    /// They have at most [`crate::limits::INLINE_OUTPUT_BYTES`].
    Inline(Map<String, Value>),
    /// They are in the manifest at this place.
    Stored(S3Uri),
}

/// A cache entry that was found. It is copied, so that the execution keeps it when the entry is
/// removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Hit {
    pub parts: KeyParts,
    pub source: Source,
    pub produced: Produced,
    pub memory_mb: u32,
}

/// A result that stands in for a step that is not to run. It is copied, so that the execution keeps
/// it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Reuse {
    /// The execution that it was copied from; absent if all of it was given by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ExecutionId>,
    /// The place where a function made it; absent if no function did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The outcome of a Condition step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<bool>,
    pub produced: Produced,
    #[serde(default)]
    pub memory_mb: u32,
    /// The outputs that were given by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplied: Option<Supplied>,
    /// The parts of the key that it was made under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<KeyParts>,
    /// The parameters that it depends on, as they were when it was made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub made_with: BTreeMap<ParameterName, Value>,
}

/// Outputs that were given by hand in place of a step's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Supplied {
    pub outputs: Map<String, Value>,
    /// The user who gave them, as far as that is known.
    pub by: String,
    /// SHA-256 of the outputs as canonical JSON, in hexadecimal.
    pub sha256: String,
}

impl Supplied {
    /// Makes supplied outputs with their digest.
    pub fn new(outputs: Map<String, Value>, by: impl Into<String>) -> Self {
        let sha256 = canonical_sha256(&Value::Object(outputs.clone()));
        Self { outputs, by: by.into(), sha256 }
    }
}

/// The place where a reused result was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Source {
    pub pipeline_execution_arn: String,
    pub execution_id: ExecutionId,
    pub step_name: StepName,
}

/// An entry of the cache index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CacheEntry {
    pub parts: KeyParts,
    pub source: Source,
    pub produced: Produced,
    pub memory_mb: u32,
    /// The time at which the step succeeded, in milliseconds since 1970. `ExpireAfter` counts from
    /// here.
    pub created_at_ms: u64,
    /// What a hit checks besides the artifacts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<Witness>,
    /// The key under which it is found, if its step wrote to a place among its arguments: the one
    /// in which places stand for themselves. Absent if it is the key of the parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place_key: Option<CacheKey>,
    /// The time of the last hit, in milliseconds since 1970. It may be a little old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at_ms: Option<u64>,
}

impl CacheEntry {
    pub fn key(&self) -> CacheKey {
        self.place_key.clone().unwrap_or_else(|| self.parts.key())
    }

    /// Returns when it was made or last used, in milliseconds since 1970.
    pub fn last_used_ms(&self) -> u64 {
        self.used_at_ms.unwrap_or_default().max(self.created_at_ms)
    }

    pub fn is_expired(&self, now_ms: u64, expire_after: Option<Duration>) -> bool {
        let age = Duration::from_millis(now_ms.saturating_sub(self.created_at_ms));
        expire_after.is_some_and(|limit| age >= limit)
    }
}
