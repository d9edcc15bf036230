//! The manifest: the small JSON that a step writes last, below its `OutputPrefix`. Its existence is
//! the report of the step's success.
//!
//! It is create-only, so of two runs of one attempt the first to finish counts.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::uri::S3Uri;

/// The newest manifest version this code writes and reads.
pub const VERSION: u32 = 1;

/// What one attempt of a step produced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Manifest {
    pub version: u32,
    /// The attempt's token, from its invocation.
    pub token: String,
    /// The JSON object that the handler returned, undeclared keys included.
    pub outputs: Map<String, Value>,
    /// The artifacts in order of URI.
    pub artifacts: Vec<Artifact>,
    /// The time at which the handler began by the function's clock, in milliseconds since 1970.
    pub started_at_ms: u64,
    /// The time from the handler's start to its return by a monotonic clock.
    pub duration_ms: u64,
}

/// An object that a step wrote, with the digest that was computed during the write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Artifact {
    pub uri: S3Uri,
    pub bytes: u64,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub sha256: String,
}
