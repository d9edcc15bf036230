//! Where the embedded cloud of a project keeps its state.

use std::env;
use std::path::{Path, PathBuf, absolute};

/// Returns the folder: `SIDESTEP_STATE_DIR`, else `.sidestep` in the project.
///
/// Functions start in their own folders, so a path from the current one would lead them elsewhere.
pub(crate) fn state_folder(project: &Path) -> PathBuf {
    let named = env::var_os("SIDESTEP_STATE_DIR").filter(|folder| !folder.is_empty());
    let folder = named.map_or_else(|| project.join(".sidestep"), PathBuf::from);
    absolute(&folder).unwrap_or(folder)
}
