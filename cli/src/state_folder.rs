//! Where the embedded cloud of a project keeps its state.

use std::env;
use std::path::{Path, PathBuf};

/// Returns the folder: `SIDESTEP_STATE_DIR`, else `.sidestep` in the project.
pub(crate) fn state_folder(project: &Path) -> PathBuf {
    env::var_os("SIDESTEP_STATE_DIR")
        .filter(|folder| !folder.is_empty())
        .map_or_else(|| project.join(".sidestep"), Into::into)
}
