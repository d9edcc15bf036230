//! `sidestep get`: prints an output of a step, or fetches what it names from S3.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::uri::S3Uri;

use crate::download::download;
use crate::hints::{meant, no_step};
use crate::output::error::{CommandError, user};
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::session::Session;
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct GetOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// An output, or the file name of an artifact; STEP alone prints all outputs as JSON
    #[arg(value_name = "STEP.OUTPUT|STEP.ARTIFACT|STEP")]
    pub(crate) what: String,
    /// Fetch the S3 object or prefix that the output names into this file or folder, or write its
    /// value there; `-` is stdout
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

pub(crate) async fn get(
    project: Option<&Path>,
    target: Target,
    options: &GetOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let session = target.open(&project).await?;
    let got = get_from(&session, options).await;
    session.close(Duration::ZERO).await;
    got.map(|()| ExitStatus::Succeeded)
}

async fn get_from(session: &Session, options: &GetOptions) -> Result<(), CommandError> {
    let (step, name) = match options.what.split_once('.') {
        Some((step, name)) => (step, Some(name)),
        None => (options.what.as_str(), None),
    };
    let found = Found::of(session, &options.execution, step).await?;
    let value = match name {
        Some(name) => found.named(step, name)?,
        None => Value::Object(found.outputs.clone()),
    };
    let Some(output) = &options.output else {
        println!("{}", text(&value));
        return Ok(());
    };
    match value.as_str().and_then(|text| S3Uri::parse(text).ok()) {
        Some(uri) => download(session, &uri, &found.artifacts, output).await,
        None if output.as_os_str() == "-" => {
            println!("{}", text(&value));
            Ok(())
        }
        None => Ok(std::fs::write(output, format!("{}\n", text(&value)))?),
    }
}

/// Returns a string as it is, and anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("{value:#}"), str::to_owned)
}

/// What a step of an execution left.
struct Found {
    outputs: serde_json::Map<String, Value>,
    artifacts: Vec<Artifact>,
    /// What became of the step.
    state: String,
}

impl Found {
    async fn of(session: &Session, execution: &str, step: &str) -> Result<Self, CommandError> {
        let id = session.execution(execution).await?;
        let description = session.engine.describe(&id).await?;
        let this = session.engine.earlier(&id).await?;
        let mut steps = description.steps.into_iter();
        let Some(described) = steps.find(|described| described.step_name == step) else {
            return Err(no_step(&this.pipeline, "the execution", step));
        };
        let name = &this.pipeline.step(described.index).name;
        let artifacts = this.result(name).map_or_else(Vec::new, |result| result.produced.artifacts);
        let state = described.step_status.or(described.decision).unwrap_or("waiting").to_owned();
        Ok(Self { outputs: described.output_parameters, artifacts, state })
    }

    /// Returns an output by its name, or the URI of an artifact by its file's name.
    fn named(&self, step: &str, name: &str) -> Result<Value, CommandError> {
        if let Some(value) = self.outputs.get(name) {
            return Ok(value.clone());
        }
        let file = |artifact: &Artifact| {
            let key = artifact.uri.key();
            key.rsplit('/').next().unwrap_or(key).to_owned()
        };
        let mut artifacts = self.artifacts.iter();
        if let Some(artifact) = artifacts.find(|artifact| file(artifact) == name) {
            return Ok(Value::from(artifact.uri.to_string()));
        }
        let files: Vec<_> = self.artifacts.iter().map(file).collect();
        let names = || self.outputs.keys().chain(&files).map(String::as_str);
        let problem = user(format!("step `{step}` has no output or artifact `{name}`"));
        Err(if names().next().is_none() {
            problem.hint(format!("it has none at all: the step is {}", self.state))
        } else {
            problem.hint(meant(name, names(), "it has"))
        })
    }
}
