//! A project: the folder of a `sidestep.toml`, found and read.

use std::fs;
use std::path::{Path, PathBuf};

use sidestep_core::name::PipelineName;
use sidestep_core::uri::S3Uri;

use crate::hints::meant;
use crate::output::error::{CommandError, OrError as _, user};
use crate::pipeline_source::PipelineSource;
use crate::settings::Settings;
use crate::state_folder::state_folder;

/// Name of the settings file, which is looked for from the working folder upwards.
pub(crate) const FILE: &str = "sidestep.toml";

/// A project's folder and its settings.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) settings: Settings,
}

/// Returns true for texts that mean a definition's file, and not a pipeline.
fn is_file_name(text: &str) -> bool {
    let ending = Path::new(text).extension().unwrap_or_default().to_ascii_lowercase();
    text.contains('/') || ["json", "yaml", "yml"].iter().any(|known| ending == *known)
}

/// Returns the working folder or the nearest one above it that has a `sidestep.toml`.
fn nearest_folder() -> Result<PathBuf, CommandError> {
    let here = std::env::current_dir().or_service(|| "could not determine the working folder")?;
    let found = here.ancestors().find(|folder| folder.join(FILE).is_file()).map(Path::to_owned);
    found.ok_or_else(|| {
        let hint = "name the project's folder with `--project DIR`";
        user(format!("no `{FILE}` in `{}` or above it", here.display())).hint(hint)
    })
}

impl Project {
    /// Reads the project in `folder`, or in the nearest folder upwards that has a `sidestep.toml`.
    pub(crate) fn find(folder: Option<&Path>) -> Result<Self, CommandError> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => nearest_folder()?,
        };
        let path = folder.join(FILE);
        let text =
            fs::read_to_string(&path).or_user(|| format!("could not read `{}`", path.display()))?;
        let settings: Settings = toml::from_str(&text)
            .map_err(|error| user(format!("`{}` is invalid:\n{error}", path.display())))?;
        let folder =
            fs::canonicalize(&folder).or_service(|| format!("no `{}`", folder.display()))?;
        let project = Self { folder, settings };
        let checked = project.settings.check();
        checked.map_err(|error| error.within(format!("`{}` is invalid", path.display())))?;
        Ok(project)
    }

    /// Reads the files of `[[uploads]]` and returns them with the objects that they become.
    pub(crate) fn uploads(&self) -> Result<Vec<(S3Uri, Vec<u8>)>, CommandError> {
        let mut files = Vec::new();
        for upload in &self.settings.uploads {
            let from = self.folder.join(&upload.from);
            for file in crate::files::data_files(&from)? {
                let key = file
                    .components()
                    .map(|part| part.as_os_str().to_string_lossy())
                    .collect::<Vec<_>>();
                let path = from.join(&file);
                let bytes = fs::read(&path)
                    .or_service(|| format!("could not read `{}`", path.display()))?;
                files.push((upload.to.join(&key.join("/")), bytes));
            }
        }
        Ok(files)
    }

    /// Returns the folder of the embedded cloud's state: `SIDESTEP_STATE_DIR`, else `.sidestep` in
    /// the project.
    pub(crate) fn state_folder(&self) -> PathBuf {
        state_folder(&self.folder)
    }

    /// Finds a pipeline by its name in `sidestep.toml`, or by the path of its definition.
    pub(crate) fn pipeline(&self, name: &str) -> Result<PipelineSource, CommandError> {
        if let Some(settings) = self.settings.pipelines.get(name) {
            let name = PipelineName::parse(name)?;
            return Ok(PipelineSource { name, path: self.folder.join(&settings.definition) });
        }
        let path = Path::new(name);
        if path.is_file() {
            return PipelineSource::of_file(path);
        }
        Err(self.no_pipeline(name))
    }

    /// Returns the error for a name that is neither a pipeline's nor a file's.
    pub(crate) fn no_pipeline(&self, name: &str) -> CommandError {
        let path = Path::new(name);
        let problem = if path.is_dir() {
            format!("`{name}` is a folder: expected a pipeline's name or a definition's file")
        } else if is_file_name(name) {
            format!("there is no file `{name}`")
        } else {
            format!("no pipeline `{name}`")
        };
        let is_its_file = |definition: &Path| definition.file_name() == path.file_name();
        let mut pipelines = self.settings.pipelines.iter();
        let of_file = pipelines.find(|(_, settings)| is_its_file(&settings.definition));
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let names = || self.settings.pipelines.keys().map(String::as_str);
        let hint = match of_file {
            Some((pipeline, settings)) => {
                format!("pipeline `{pipeline}` has `{}`", settings.definition.display())
            }
            None if self.settings.pipelines.is_empty() => {
                format!("`{FILE}` has no pipelines: add one, or name a definition's file")
            }
            None => meant(&stem, names(), &format!("pipelines of `{FILE}`")),
        };
        user(problem).hint(hint)
    }
}
