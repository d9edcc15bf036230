//! `sidestep logs`: prints the logs of an execution's functions, attempt by attempt.

mod elsewhere;
mod local;
mod remote;
mod request;

use std::path::Path;

use clap::Args;
use sidestep_core::name::StepName;

use self::request::LogsRequest;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct LogsOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Print only the logs of this step
    pub(crate) step: Option<String>,
    /// Keep printing until the execution ends
    #[arg(long)]
    pub(crate) follow: bool,
}

pub(crate) async fn logs(
    project: Option<&Path>,
    target: Target,
    options: &LogsOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let step = options.step.as_deref().map(StepName::parse).transpose()?;
    let request = LogsRequest { execution: &options.execution, step, follow: options.follow };
    match target {
        Target::Local => local::logs(&project, &request).await,
        Target::Aws => remote::logs(&project, &request).await,
    }
}
