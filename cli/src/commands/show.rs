//! `sidestep show`: shows an execution and its steps.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::output::screen::Screen;
use crate::output::{explanations, table};
use crate::project::Project;
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct ShowOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Print whole lines, however narrow the terminal
    #[arg(long)]
    pub(crate) wide: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn show(
    project: Option<&Path>,
    target: Target,
    options: &ShowOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let session = target.open(&project).await?;
    let work = async {
        let id = session.execution(&options.execution).await?;
        explanations::describe(&session, &id).await
    };
    let described = work.await;
    session.close(Duration::ZERO).await;
    let description = described?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&description)?);
    } else {
        let screen = Screen::of_stdout(options.wide);
        print!("{}{}", table::steps(&description, screen), table::result(&description, screen));
    }
    Ok(ExitStatus::Succeeded)
}
