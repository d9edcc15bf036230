//! A built program.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A built program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Binary {
    pub(crate) path: PathBuf,
    /// SHA-256, which is not computed again while size and time of the file stay.
    pub(crate) sha256: [u8; 32],
    /// Whether it is built on the step SDK.
    pub(crate) has_sdk: bool,
}
