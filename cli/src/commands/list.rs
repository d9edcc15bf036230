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
use crate::output::table::{self, Line};
use crate::project::Project;
use crate::published::Published;
use crate::session::Session;
use crate::standing::Standing;
use crate::target::Target;

/// How long an execution takes at least that may have been interrupted in between.
const LASTING_MS: u64 = 2_000;

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
    let listed = lines(&session, name.as_ref(), options.limit).await;
    session.close(Duration::ZERO).await;
    let lines = listed?;
    let is_known = |text: &str| project.pipeline(text).is_ok();
    if let Some(text) = options.pipeline.as_deref().filter(|text| !is_known(text))
        && lines.is_empty()
    {
        return Err(project.no_pipeline(text));
    }
    if options.json {
        let list: Vec<_> = lines.iter().map(summary).collect();
        println!("{:#}", json!({ "PipelineExecutionSummaries": list }));
    } else {
        if lines.is_empty() {
            eprintln!("note: there are no executions yet");
        }
        print!("{}", table::list(&lines, Screen::of_stdout(options.wide)));
        for line in &lines {
            if let Some(why) = refused(&line.summary) {
                let id = &line.summary.execution_id;
                println!("{id} started nothing: {why}; `sidestep retry {id}` asks for it again");
            }
        }
        if let Some(stale) = stale {
            println!("{stale}");
        }
    }
    Ok(ExitStatus::Succeeded)
}

/// Reads the list.
async fn lines(
    session: &Session,
    pipeline: Option<&PipelineName>,
    limit: usize,
) -> Result<Vec<Line>, CommandError> {
    let standing = Standing::read(session)?;
    let mut lines = Vec::new();
    for mut summary in session.engine.executions().list(pipeline, limit).await? {
        let id = &summary.execution_id;
        if !summary.status.is_over()
            && let Some(head) = session.engine.executions().head(id).await?
        {
            // The list itself says only how executions began and ended.
            summary.status = head.status;
        }
        let whole = summary.ended_at_ms.map(|end| end.saturating_sub(summary.started_at_ms));
        let duration_ms = match whole {
            // What did not last has not rested, and the commits need not be read.
            Some(ms) if ms > LASTING_MS && session.endpoints.is_some() => {
                let mut description = session.engine.describe(id).await?;
                standing.add_to(id, &mut description);
                Some(description.summary.duration_ms)
            }
            whole => whole,
        };
        let is_interrupted = !summary.status.is_over() && !standing.is_driven(id);
        lines.push(Line { summary, is_interrupted, duration_ms });
    }
    Ok(lines)
}

/// Returns why an execution has no steps, if a trigger could not start it.
pub(crate) fn refused(summary: &Summary) -> Option<&str> {
    summary.failure_reason.as_deref()?.strip_prefix(NOT_STARTED)
}

/// Returns an execution under SageMaker's names, and with the pipeline's name, which SageMaker
/// leaves out.
fn summary(line: &Line) -> Value {
    let Summary {
        execution_id,
        pipeline_name,
        started_at_ms,
        status,
        ended_at_ms,
        failure_reason,
        saved,
    } = &line.summary;
    let mut value = json!({
        "PipelineExecutionArn":
            format!("arn:aws:sagemaker:{REGION}:{ACCOUNT_ID}:pipeline/{pipeline_name}/execution/{execution_id}"),
        "PipelineName": pipeline_name,
        "StartTime": timestamp(*started_at_ms),
        "PipelineExecutionStatus": status.name(),
    });
    if line.is_interrupted {
        value["Interrupted"] = json!(true);
    }
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
