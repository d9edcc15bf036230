//! Prepares functions that are a folder of code, by their runtime.

use crate::node;
use crate::output::error::{CommandError, user};
use crate::project::Project;
use crate::provided;
use crate::python;
use crate::runtime::Runtime;
use crate::settings::FunctionSettings;
use crate::stored_code::{FolderFunction, Stored};

/// Copies the function's folder into the store, and returns how to run it.
pub(crate) fn stored(
    project: &Project,
    name: &str,
    settings: &FunctionSettings,
) -> Result<Stored, CommandError> {
    let incomplete = || user(format!("`[functions.{name}]` is incomplete"));
    let (Some(runtime), Some(path)) = (settings.runtime.as_deref(), settings.path.as_deref())
    else {
        return Err(incomplete());
    };
    let handler = settings.handler.as_deref().ok_or_else(incomplete);
    match Runtime::parse(runtime)? {
        Runtime::Python { minor } => {
            let handler = handler?;
            let function =
                FolderFunction { name, settings, runtime, version: minor, handler, path };
            python::stored(project, &function)
        }
        Runtime::Node { major } => {
            let handler = handler?;
            let function =
                FolderFunction { name, settings, runtime, version: major, handler, path };
            node::stored(project, &function)
        }
        Runtime::Provided => provided::stored(project, settings, runtime, path),
    }
}
