//! The file of a pipeline's definition.

use std::fs;
use std::path::{Path, PathBuf};

use sidestep_core::name::PipelineName;
use sidestep_core::parse::Format;
use sidestep_engine::memory::definitions::Definition;

use crate::output::error::{CommandError, OrError as _, user};

/// A pipeline and the file of its definition.
#[derive(Debug)]
pub(crate) struct PipelineSource {
    pub(crate) name: PipelineName,
    pub(crate) path: PathBuf,
}

impl PipelineSource {
    /// Returns the pipeline of a definition file, named after the file.
    pub(crate) fn of_file(path: &Path) -> Result<Self, CommandError> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = PipelineName::parse(&stem).map_err(|error| {
            user(error.to_string()).hint("a definition's file name is the pipeline's name")
        })?;
        Ok(Self { name, path: path.to_owned() })
    }

    /// Reads the definition without checking what it says.
    pub(crate) fn read(&self) -> Result<Definition, CommandError> {
        let bytes = fs::read(&self.path)
            .or_user(|| format!("could not read definition `{}`", self.path.display()))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            user(format!("`{}` is not UTF-8: byte {at} is not text", self.path.display()))
        })?;
        Ok(Definition { text, format: format_of(&self.path) })
    }
}

/// Returns the format of a definition file: YAML by its ending, else JSON.
pub(crate) fn format_of(path: &Path) -> Format {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    if ending == "yaml" || ending == "yml" { Format::Yaml } else { Format::Json }
}
