//! `sidestep stop`: lets running steps finish and starts no new ones.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use sidestep_core::name::ExecutionId;
use sidestep_engine::sweep::Leases;

use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::session::Session;
use crate::standing::Standing;
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct StopOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn stop(
    project: Option<&Path>,
    target: Target,
    options: &StopOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let session = target.open(&project).await?;
    let stopped = stop_in(&session, &options.execution).await;
    session.close(Duration::ZERO).await;
    let (id, status) = stopped?;
    if options.json {
        println!("{}", json!({ "ExecutionId": id, "PipelineExecutionStatus": status }));
    } else {
        println!("execution {id} is {status}");
    }
    Ok(ExitStatus::Succeeded)
}

async fn stop_in(
    session: &Session,
    text: &str,
) -> Result<(ExecutionId, &'static str), CommandError> {
    let id = session.execution(text).await?;
    let mut status = session.engine.stop(&id).await?;
    // The command that ran the steps has ended, so nothing runs.
    if !status.is_over() && !Standing::read(session)?.is_driven(&id) {
        session.engine.resume(&id, Leases::All).await?;
        status = session.engine.load(&id).await?.execution.status;
    }
    Ok((id, status.name()))
}
