//! `sidestep.toml`: what a definition cannot say. Which functions exist and how they are built, the pipelines, what starts them.

use std::fs;
use std::path::{Path, PathBuf};

use sidestep_core::name::PipelineName;
use sidestep_core::uri::S3Uri;

use crate::output::error::{CommandError, OrError as _, user};
use crate::pipeline_source::PipelineSource;
use crate::settings::Settings;

/// The file's name, found upwards from the working folder.
pub(crate) const FILE: &str = "sidestep.toml";

/// A project: the folder of a `sidestep.toml` and what is in it.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) settings: Settings,
}

/// The working folder, or the nearest one above it with a `sidestep.toml`.
fn nearest() -> Result<PathBuf, CommandError> {
    let here = std::env::current_dir().or_service(|| "could not tell the working folder")?;
    let found = here.ancestors().find(|folder| folder.join(FILE).is_file()).map(Path::to_owned);
    found.ok_or_else(|| {
        let hint = "name the project's folder with `--project DIR`";
        user(format!("no `{FILE}` in `{}` or above it", here.display())).hint(hint)
    })
}

impl Project {
    /// Reads the project of `folder`, or of the nearest folder upwards that has a `sidestep.toml`.
    pub(crate) fn find(folder: Option<&Path>) -> Result<Self, CommandError> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => nearest()?,
        };
        let path = folder.join(FILE);
        let text =
            fs::read_to_string(&path).or_user(|| format!("could not read `{}`", path.display()))?;
        let settings: Settings = toml::from_str(&text)
            .map_err(|error| user(format!("`{}` is not right:\n{error}", path.display())))?;
        let folder =
            fs::canonicalize(&folder).or_service(|| format!("no `{}`", folder.display()))?;
        let project = Self { folder, settings };
        let checked = project.settings.check();
        checked.map_err(|error| error.within(format!("`{}` is not right", path.display())))?;
        Ok(project)
    }

    /// The files of `[[uploads]]` with the objects they become.
    pub(crate) fn uploads(&self) -> Result<Vec<(S3Uri, Vec<u8>)>, CommandError> {
        let mut files = Vec::new();
        for upload in &self.settings.uploads {
            let from = self.folder.join(&upload.from);
            for file in crate::files::list_files(&from)? {
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

    /// The folder of the embedded cloud's state: `SIDESTEP_STATE_DIR`, else `.sidestep` of the project.
    pub(crate) fn state_folder(&self) -> PathBuf {
        std::env::var_os("SIDESTEP_STATE_DIR")
            .filter(|folder| !folder.is_empty())
            .map_or_else(|| self.folder.join(".sidestep"), Into::into)
    }

    /// A pipeline by its name in `sidestep.toml`, or by its definition's file.
    pub(crate) fn pipeline(&self, name: &str) -> Result<PipelineSource, CommandError> {
        if let Some(settings) = self.settings.pipelines.get(name) {
            let name = PipelineName::parse(name)?;
            return Ok(PipelineSource { name, path: self.folder.join(&settings.definition) });
        }
        let path = Path::new(name);
        if path.is_file() {
            return PipelineSource::of_file(path);
        }
        let known: Vec<_> =
            self.settings.pipelines.keys().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(user(format!("no pipeline `{name}`")).hint(format!(
            "pipelines of `{}`: {known}; or name a file",
            self.folder.join(FILE).display()
        )))
    }
}
