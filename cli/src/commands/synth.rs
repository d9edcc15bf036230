//! `sidestep synth`: prints the CloudFormation template of a project.

use std::path::Path;

use clap::Args;
use sidestep_deploy::blueprint::Architecture;
use sidestep_deploy::synthesise;

use crate::blueprint::blueprint;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;

#[derive(Debug, Args)]
pub(crate) struct SynthOptions {
    /// Instruction set of the functions, `arm64` or `x86_64` [default: `[deploy] architecture`]
    #[arg(long, value_parser = architecture)]
    pub(crate) architecture: Option<Architecture>,
}

/// Parses an instruction set.
pub(crate) fn architecture(text: &str) -> Result<Architecture, String> {
    Architecture::parse(text).ok_or_else(|| "expected `arm64` or `x86_64`".to_owned())
}

pub(crate) fn synth(
    project: Option<&Path>,
    options: &SynthOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let blueprint = blueprint(&project, options.architecture)?;
    let template = synthesise(&blueprint)?;
    println!("{}", serde_json::to_string_pretty(&template)?);
    Ok(ExitStatus::Succeeded)
}
