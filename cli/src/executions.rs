//! `sidestep list` and `sidestep show`.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sidestep_core::view::description::timestamp;
use sidestep_engine::ports::executions::Summary;
use sidestep_local::cloud::{ACCOUNT_ID, REGION};

use crate::arguments::{ListOptions, ShowOptions, Target};
use crate::error::exit;
use crate::project::Project;
use crate::reasons;
use crate::session::{Session, pipeline_name};
use crate::table;

pub(crate) async fn list(
    project: Option<&Path>,
    target: Target,
    options: &ListOptions,
) -> anyhow::Result<u8> {
    let project = Project::find(project)?;
    let name = options.pipeline.as_deref().map(pipeline_name).transpose()?;
    let session = Session::open(&project, target).await?;
    let summaries = session.engine.executions().list(name.as_ref(), options.limit).await;
    session.close(Duration::ZERO).await;
    let summaries = summaries?;
    if options.json {
        let list: Vec<_> = summaries.iter().map(summary).collect();
        println!("{:#}", json!({ "PipelineExecutionSummaries": list }));
    } else {
        print!("{}", table::list(&summaries));
    }
    Ok(exit::SUCCEEDED)
}

/// SageMaker's names; the pipeline's, which SageMaker's list is asked for, stands beside them.
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
        value["SavedUsd"] = json!(saved.usd);
    }
    if let Some(reason) = failure_reason {
        value["PipelineExecutionFailureReason"] = json!(reason);
    }
    value
}

pub(crate) async fn show(
    project: Option<&Path>,
    target: Target,
    options: &ShowOptions,
) -> anyhow::Result<u8> {
    let project = Project::find(project)?;
    let session = Session::open(&project, target).await?;
    let description = async {
        let id = session.execution(&options.execution).await?;
        anyhow::Ok(reasons::describe(&session.engine, &id).await?)
    };
    let description = description.await;
    session.close(Duration::ZERO).await;
    let description = description?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&description)?);
    } else {
        print!("{}", table::execution(&description));
    }
    Ok(exit::SUCCEEDED)
}
