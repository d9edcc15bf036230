//! `sidestep.toml`: what a definition cannot say. Which functions exist and how they are built, the pipelines, what starts them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use sidestep_core::event::batch::BATCH_SECONDS;
use sidestep_core::name::{PipelineName, StepName};
use sidestep_core::parse::Format;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::uri::S3Uri;
use sidestep_engine::handle::trigger::{BATCH_PROPERTIES, OBJECT_PROPERTIES, meets};
use sidestep_engine::memory::definitions::Definition;

use crate::blueprint::DeploySettings;
use crate::error::user;

/// The file's name, found upwards from the working folder.
pub(crate) const FILE: &str = "sidestep.toml";

/// A project: the folder of a `sidestep.toml` and what is in it.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) settings: Settings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) functions: BTreeMap<String, FunctionSettings>,
    #[serde(default)]
    pub(crate) pipelines: BTreeMap<String, PipelineSettings>,
    #[serde(default)]
    pub(crate) engine: EngineSettings,
    /// The stack on AWS.
    #[serde(default)]
    pub(crate) deploy: DeploySettings,
    #[serde(default)]
    pub(crate) serve: ServeSettings,
    /// Files that the embedded cloud puts into its S3.
    #[serde(default)]
    pub(crate) uploads: Vec<UploadSettings>,
}

/// How the engine works for this project.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineSettings {
    /// Which roads a finished step's result takes: `event`, `direct` or `both`.
    #[serde(default)]
    pub(crate) handoff: Handoff,
}

/// The API of `sidestep serve`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServeSettings {
    /// The file of access keys whose signatures are accepted, from the project's folder.
    pub(crate) keys: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionSettings {
    /// A Rust package with one binary, or one of its own name, built by cargo.
    pub(crate) package: Option<String>,
    /// Lambda's identifier, such as `python3.11`.
    pub(crate) runtime: Option<String>,
    /// `module.function`.
    pub(crate) handler: Option<String>,
    /// The folder of the code, from the project's.
    pub(crate) path: Option<PathBuf>,
    #[serde(default = "default_memory_mb")]
    pub(crate) memory_mb: u32,
    #[serde(default = "default_timeout_seconds")]
    pub(crate) timeout_seconds: u32,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// On AWS: what it may read and write besides what its steps' arguments say.
    #[serde(default)]
    pub(crate) reads: Vec<S3Uri>,
    #[serde(default)]
    pub(crate) writes: Vec<S3Uri>,
}

fn default_memory_mb() -> u32 {
    128
}

fn default_timeout_seconds() -> u32 {
    60
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipelineSettings {
    /// The definition's file, from the project's folder.
    pub(crate) definition: PathBuf,
    /// SageMaker's limit of steps that run at a time.
    pub(crate) max_parallel_execution_steps: Option<u32>,
    #[serde(default)]
    pub(crate) triggers: Vec<TriggerSettings>,
}

/// Starts the pipeline when an object is uploaded, or, on AWS, at set times.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriggerSettings {
    /// Empty if there is a schedule.
    #[serde(default)]
    pub(crate) bucket: String,
    /// An expression of EventBridge Scheduler: `rate(1 day)`, `cron(0 6 * * ? *)`.
    pub(crate) schedule: Option<String>,
    #[serde(default)]
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) suffix: String,
    /// One execution for the uploads of so many seconds, instead of one for each.
    pub(crate) batch_seconds: Option<u32>,
    /// Parameters of the execution; `$.uri`, `$.bucket`, `$.key`, `$.name`, `$.stem`, `$.version`, `$.etag` and `$.size` stand for the object's,
    /// `$.listing` and `$.count` for the batch's.
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadSettings {
    /// A file or a folder, from the project's.
    pub(crate) from: PathBuf,
    /// A prefix, `s3://BUCKET/PREFIX/`.
    pub(crate) to: S3Uri,
}

/// A pipeline that was asked for.
#[derive(Debug)]
pub(crate) struct PipelineSource {
    pub(crate) name: PipelineName,
    pub(crate) path: PathBuf,
}

impl PipelineSource {
    /// The pipeline of a definition's file, named after it.
    pub(crate) fn of_file(path: &Path) -> anyhow::Result<Self> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = PipelineName::parse(&stem).map_err(|error| {
            user(error.to_string()).hint("a definition's file name is the pipeline's name")
        })?;
        Ok(Self { name, path: path.to_owned() })
    }

    /// Reads the definition; what it says is checked later.
    pub(crate) fn read(&self) -> anyhow::Result<Definition> {
        let bytes = fs::read(&self.path).with_context(|| {
            user(format!("could not read definition `{}`", self.path.display()))
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            user(format!("`{}` is not UTF-8: byte {at} is no text", self.path.display()))
        })?;
        Ok(Definition { text, format: format_of(&self.path) })
    }
}

/// How to read a definition's file: YAML by its ending, else JSON.
pub(crate) fn format_of(path: &Path) -> Format {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    if ending == "yaml" || ending == "yml" { Format::Yaml } else { Format::Json }
}

/// The working folder, or the nearest one above it with a `sidestep.toml`.
fn nearest() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("could not tell the working folder")?;
    let found = here.ancestors().find(|folder| folder.join(FILE).is_file()).map(Path::to_owned);
    found.ok_or_else(|| {
        let hint = "name the project's folder with `--project DIR`";
        user(format!("no `{FILE}` in `{}` or above it", here.display())).hint(hint).into()
    })
}

impl Project {
    /// Reads the project of `folder`, or of the nearest folder upwards that has a `sidestep.toml`.
    pub(crate) fn find(folder: Option<&Path>) -> anyhow::Result<Self> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => nearest()?,
        };
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path)
            .with_context(|| user(format!("could not read `{}`", path.display())))?;
        let settings: Settings = toml::from_str(&text)
            .map_err(|error| user(format!("`{}` is not right:\n{error}", path.display())))?;
        let folder =
            fs::canonicalize(&folder).with_context(|| format!("no `{}`", folder.display()))?;
        let project = Self { folder, settings };
        project.check().with_context(|| user(format!("`{}` is not right", path.display())))?;
        Ok(project)
    }

    /// A step that writes where a trigger listens would start its own pipeline again, for ever.
    fn check_circles(&self) -> anyhow::Result<()> {
        // Two names of the project may mean one bucket of the account.
        let bucket = |name: &str| {
            self.settings.deploy.buckets.get(name).map_or(name, String::as_str).to_owned()
        };
        for (name, pipeline) in &self.settings.pipelines {
            for trigger in pipeline.triggers.iter().filter(|trigger| trigger.schedule.is_none()) {
                for (function, settings) in &self.settings.functions {
                    let written = settings.writes.iter().find(|uri| {
                        bucket(uri.bucket()) == bucket(&trigger.bucket)
                            && meets(&trigger.prefix, &trigger.suffix, uri)
                    });
                    let Some(uri) = written else { continue };
                    let problem = format!(
                        "function `{function}` writes `{uri}`, where a trigger of pipeline `{name}` listens: its outputs could start it again"
                    );
                    let hint =
                        "let the function write elsewhere, or give the trigger a prefix of its own";
                    return Err(user(problem).hint(hint).into());
                }
            }
        }
        Ok(())
    }

    fn check(&self) -> anyhow::Result<()> {
        self.check_circles()?;
        for (name, function) in &self.settings.functions {
            // The same pattern as a step's, which is Lambda's own for function names.
            StepName::parse(name).map_err(|_| {
                user(format!(
                    "function name `{name}` is not 1 to 64 of letters, digits, `-` and `_`"
                ))
            })?;
            let is_package = function.package.is_some();
            let is_runtime =
                function.runtime.is_some() && function.handler.is_some() && function.path.is_some();
            if is_package == is_runtime || (is_package && function.handler.is_some()) {
                anyhow::bail!(user(format!(
                    "`[functions.{name}]` takes either `package`, or `runtime`, `handler` and `path`"
                )));
            }
            if !(128..=10_240).contains(&function.memory_mb) {
                anyhow::bail!(user(format!(
                    "`functions.{name}.memory_mb` is not from 128 to 10240"
                )));
            }
            if !(1..=900).contains(&function.timeout_seconds) {
                anyhow::bail!(user(format!(
                    "`functions.{name}.timeout_seconds` is not from 1 to 900"
                )));
            }
        }
        for (name, pipeline) in &self.settings.pipelines {
            PipelineName::parse(name).map_err(|error| user(error.to_string()))?;
            for trigger in &pipeline.triggers {
                if trigger.bucket.is_empty() == trigger.schedule.is_none() {
                    anyhow::bail!(user(format!(
                        "a trigger of pipeline `{name}` takes either `bucket` or `schedule`"
                    )));
                }
                if let Some(seconds) = trigger.batch_seconds {
                    let (least, most) = (BATCH_SECONDS.start(), BATCH_SECONDS.end());
                    if !BATCH_SECONDS.contains(&seconds) {
                        anyhow::bail!(user(format!(
                            "`batch_seconds` of a trigger of pipeline `{name}` is {seconds}, not from {least} to {most}"
                        )));
                    }
                    if trigger.schedule.is_some() {
                        anyhow::bail!(user(format!(
                            "a trigger of pipeline `{name}` has `batch_seconds`, which goes with `bucket` and not with `schedule`"
                        )));
                    }
                }
                let known: &[&str] = match (&trigger.schedule, trigger.batch_seconds) {
                    (Some(_), _) => &["time"],
                    (None, Some(_)) => &BATCH_PROPERTIES,
                    (None, None) => &OBJECT_PROPERTIES,
                };
                for value in trigger.parameters.values() {
                    let unknown = value.strip_prefix("$.").filter(|name| !known.contains(name));
                    if let Some(property) = unknown {
                        let known: Vec<_> =
                            known.iter().map(|name| format!("`$.{name}`")).collect();
                        anyhow::bail!(user(format!(
                            "a trigger of pipeline `{name}` uses `$.{property}`, which is none of {}",
                            known.join(", ")
                        )));
                    }
                }
                if trigger.bucket == sidestep_local::deployment::ARTIFACT_BUCKET {
                    anyhow::bail!(user(format!(
                        "a trigger of pipeline `{name}` listens to the artifact bucket, so its outputs would start it again"
                    )));
                }
            }
        }
        Ok(())
    }

    /// The files of `[[uploads]]` with the objects they become.
    pub(crate) fn uploads(&self) -> anyhow::Result<Vec<(S3Uri, Vec<u8>)>> {
        let mut files = Vec::new();
        for upload in &self.settings.uploads {
            let from = self.folder.join(&upload.from);
            for file in crate::python::files(&from)? {
                let key = file
                    .components()
                    .map(|part| part.as_os_str().to_string_lossy())
                    .collect::<Vec<_>>();
                let path = from.join(&file);
                let bytes = fs::read(&path)
                    .with_context(|| format!("could not read `{}`", path.display()))?;
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
    pub(crate) fn pipeline(&self, name: &str) -> anyhow::Result<PipelineSource> {
        if let Some(settings) = self.settings.pipelines.get(name) {
            let name = PipelineName::parse(name).map_err(|error| user(error.to_string()))?;
            return Ok(PipelineSource { name, path: self.folder.join(&settings.definition) });
        }
        let path = Path::new(name);
        if path.is_file() {
            return PipelineSource::of_file(path);
        }
        let known: Vec<_> =
            self.settings.pipelines.keys().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(user(format!("no pipeline `{name}`"))
            .hint(format!(
                "pipelines of `{}`: {known}; or name a file",
                self.folder.join(FILE).display()
            ))
            .into())
    }
}
