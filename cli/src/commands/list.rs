//! `sidestep list`: lists executions.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use sidestep_core::execution::start::NOT_STARTED;
use sidestep_core::name::PipelineName;
use sidestep_core::view::description::timestamp;
use sidestep_core::view::price::savings_usd;
use sidestep_engine::ports::executions::Summary;
use sidestep_local::cloud::{ACCOUNT_ID, REGION};

use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::output::screen::Screen;
use crate::output::table;
use crate::project::Project;
use crate::published::Published;
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// List only executions of this pipeline
    pub(crate) pipeline: Option<String>,
    /// List at most this many
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
    /// Print whole lines, however narrow the terminal
    #[arg(long)]
    pub(crate) wide: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn list(
    project: Option<&Path>,
    target: Target,
    options: &ListOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let name = match options.pipeline.as_deref().map(|text| (text, PipelineName::parse(text))) {
        // A definition's file, for example.
        Some((text, Err(_))) => Some(project.pipeline(text)?.name),
        Some((_, Ok(name))) => Some(name),
        None => None,
    };
    let stale = match target {
        Target::Local => Published::read(&project.state_folder())?.and_then(|it| it.stale),
        Target::Aws => None,
    };
    let session = target.open(&project).await?;
    let listed = session.engine.executions().list(name.as_ref(), options.limit).await;
    session.close(Duration::ZERO).await;
    let summaries = listed?;
    let is_known = |text: &str| project.pipeline(text).is_ok();
    if let Some(text) = options.pipeline.as_deref().filter(|text| !is_known(text))
        && summaries.is_empty()
    {
        return Err(project.no_pipeline(text));
    }
    if options.json {
        let list: Vec<_> = summaries.iter().map(summary).collect();
        println!("{:#}", json!({ "PipelineExecutionSummaries": list }));
    } else {
        if summaries.is_empty() {
            eprintln!("note: there are no executions yet");
        }
        print!("{}", table::list(&summaries, Screen::of_stdout(options.wide)));
        for line in &summaries {
            if let Some(why) = refused(line) {
                let id = &line.execution_id;
                println!("{id} started nothing: {why}; `sidestep retry {id}` asks for it again");
            }
        }
        if let Some(stale) = stale {
            println!("{stale}");
        }
    }
    Ok(ExitStatus::Succeeded)
}

/// Returns why an execution has no steps, if a trigger could not start it.
pub(crate) fn refused(summary: &Summary) -> Option<&str> {
    summary.failure_reason.as_deref()?.strip_prefix(NOT_STARTED)
}

/// Returns an execution under SageMaker's names, and with the pipeline's name, which SageMaker
/// leaves out.
fn summary(summary: &Summary) -> Value {
    let Summary {
        execution_id,
        pipeline_name,
        started_at_ms,
        status,
        ended_at_ms,
        failure_reason,
        saved,
    } = summary;
    let mut value = json!({
        "PipelineExecutionArn":
            format!("arn:aws:sagemaker:{REGION}:{ACCOUNT_ID}:pipeline/{pipeline_name}/execution/{execution_id}"),
        "PipelineName": pipeline_name,
        "StartTime": timestamp(*started_at_ms),
        "PipelineExecutionStatus": status.name(),
    });
    if let Some(ended_at_ms) = ended_at_ms {
        value["EndTime"] = json!(timestamp(*ended_at_ms));
        value["SavedMs"] = json!(saved.ms);
        value["SavedUsd"] = json!(savings_usd(*saved));
    }
    if let Some(reason) = failure_reason {
        value["PipelineExecutionFailureReason"] = json!(reason);
    }
    value
}
