//! The built program of a function.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A built program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Binary {
    pub(crate) path: PathBuf,
    /// SHA-256 of the file; it is not computed again while the file's size and time stay the same.
    pub(crate) sha256: [u8; 32],
    /// True if the program is built on the step SDK.
    pub(crate) has_sdk: bool,
}
