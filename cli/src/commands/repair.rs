//! `sidestep repair`: rebuilds an execution from its remaining records.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct RepairOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn repair(
    project: Option<&Path>,
    target: Target,
    options: &RepairOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let session = target.open(&project).await?;
    let work = async {
        let id = session.execution(&options.execution).await?;
        Ok::<_, CommandError>((session.engine.repair(&id).await?, id))
    };
    let repaired = work.await;
    session.close(Duration::ZERO).await;
    let (repaired, id) = repaired?;
    let (status, taken) = (repaired.status.name(), &repaired.taken);
    if options.json {
        let document = json!({
            "ExecutionId": id,
            "PipelineExecutionStatus": status,
            "KeptCommits": repaired.kept,
            "DroppedCommits": repaired.dropped,
            "StepsFromManifests": taken,
        });
        println!("{document:#}");
        return Ok(ExitStatus::Succeeded);
    }
    println!("{} commits kept, {} dropped", repaired.kept, repaired.dropped);
    for step in taken {
        println!("  {step}  result taken from its manifest");
    }
    println!("execution {id} is {status}");
    if !repaired.status.is_over() && target == Target::Local {
        println!("run the command that started it again to continue it");
    }
    Ok(ExitStatus::Succeeded)
}
