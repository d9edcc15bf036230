//! `sidestep cache`: lists and removes cached results.

pub(crate) mod collect;
mod entry;
mod list;
mod remove;

use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::gc::gc;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct CacheOptions {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// List cached results, newest first
    List(list::ListOptions),
    /// Remove cached results, so that their steps run again
    Rm(remove::RemoveOptions),
    /// The same as `sidestep gc`
    Gc(collect::CollectOptions),
}

pub(crate) async fn cache(
    project: Option<&Path>,
    target: Target,
    options: &CacheOptions,
) -> Result<ExitStatus, CommandError> {
    if let CacheCommand::Gc(options) = &options.command {
        return gc(project, target, options).await;
    }
    let project = Project::find(project)?;
    let session = target.open(&project).await?;
    let result = match &options.command {
        CacheCommand::List(options) => list::list(&session, options).await,
        CacheCommand::Rm(options) => remove::remove(&session, options).await,
        CacheCommand::Gc(_) => Ok(ExitStatus::Succeeded),
    };
    session.close(Duration::ZERO).await;
    result
}
