//! `sidestep cache list`: lists cached results.

use clap::Args;
use serde_json::{Value, json};
use sidestep_core::execution::commit::CacheEntry;
use sidestep_core::view::description::timestamp;
use sidestep_engine::read::cache::parts;

use super::entry::{bytes, pipeline, short, size};
use crate::output::count::count;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::output::rows::Rows;
use crate::output::screen::Screen;
use crate::output::table::second;
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// List only results of this pipeline's executions
    #[arg(long)]
    pipeline: Option<String>,
    /// List only results of this step
    #[arg(long)]
    step: Option<String>,
    /// Print whole lines, however narrow the terminal
    #[arg(long)]
    wide: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(
    session: &Session,
    options: &ListOptions,
) -> Result<ExitStatus, CommandError> {
    let mut entries = session.engine.cache_entries().await?;
    entries.retain(|entry| {
        options.pipeline.as_ref().is_none_or(|name| pipeline(entry) == name)
            && options.step.as_ref().is_none_or(|name| entry.source.step_name.as_str() == name)
    });
    let gone = session.engine.gone(&entries).await?;
    let lines: Vec<_> = entries
        .iter()
        .map(|entry| (entry, parts(entry).iter().filter(|uri| gone.contains(uri)).count()))
        .collect();
    if options.json {
        let entries: Vec<_> = lines.iter().map(|(entry, gone)| document(entry, *gone)).collect();
        println!("{:#}", json!({ "CacheEntries": entries }));
    } else {
        print!("{}", table(&lines, Screen::of_stdout(options.wide)));
    }
    Ok(ExitStatus::Succeeded)
}

fn document(entry: &CacheEntry, gone: usize) -> Value {
    json!({
        "CacheKey": entry.key(),
        "StepName": entry.source.step_name,
        "PipelineName": pipeline(entry),
        "PipelineExecutionArn": entry.source.pipeline_execution_arn,
        "CreationTime": timestamp(entry.created_at_ms),
        "LastUsedTime": timestamp(entry.last_used_ms()),
        "Scope": entry.parts.scope,
        "CodeDigest": entry.parts.code_digest,
        "ArtifactCount": entry.produced.artifacts.len(),
        "ArtifactBytes": bytes(entry),
        "IsWhole": gone == 0,
    })
}

fn table(lines: &[(&CacheEntry, usize)], screen: Screen) -> String {
    let header = ["key", "step", "pipeline", "execution", "made", "artifacts", "size", "state"];
    let mut rows = Rows::new(&header, &[2, 1]);
    for (entry, gone) in lines {
        let state = match gone {
            0 => "whole".to_owned(),
            gone => format!("{gone} gone"),
        };
        rows.add([
            short(&entry.key()).to_owned(),
            entry.source.step_name.to_string(),
            pipeline(entry).to_owned(),
            entry.source.execution_id.to_string(),
            second(entry.created_at_ms),
            entry.produced.artifacts.len().to_string(),
            size(bytes(entry)),
            state,
        ]);
    }
    let total = lines.iter().map(|(entry, _)| bytes(entry)).sum();
    let table = rows.text(screen);
    format!("{table}{}, {}\n", count(lines.len(), "entry"), size(total))
}
