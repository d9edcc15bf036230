//! Executions as tables.

use std::fmt::Write as _;

use comfy_table::{Table, presets};
use sidestep_core::description::{ExecutionDescription, StepDescription, timestamp};
use sidestep_engine::store::Summary;

/// Longer values are cut; `--json` has them whole.
const CELL_CHARS: usize = 60;

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec());
    table
}

/// The steps, their outputs, and what the execution came to.
pub(crate) fn execution(description: &ExecutionDescription) -> String {
    let mut steps = table(&["step", "type", "decision", "status", "time", "reason or result"]);
    for step in &description.steps {
        steps.add_row([
            step.step_name.clone(),
            step.step_type.clone(),
            step.decision.unwrap_or("-").to_owned(),
            step.step_status.unwrap_or("-").to_owned(),
            time(step),
            detail(step),
        ]);
    }
    let mut text = format!("{steps}\n");
    for step in &description.steps {
        for (name, value) in &step.output_parameters {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(text, "{}.{name} = {value}", step.step_name);
        }
    }
    let summary = &description.summary;
    let _ = writeln!(
        text,
        "{} {} in {}: {} run, {} cached, {} skipped, {} failed",
        description.pipeline_name,
        description.pipeline_execution_status,
        duration(summary.duration_ms),
        summary.run,
        summary.cache_hit,
        summary.skipped,
        summary.failed,
    );
    if summary.cache_hit > 0 {
        let _ = writeln!(
            text,
            "saved {} of function time, ${:.6} at Lambda's list price",
            duration(summary.saved_ms),
            summary.saved_usd
        );
    }
    if let Some(reason) = &description.failure_reason {
        let _ = writeln!(text, "{reason}");
    }
    let _ = writeln!(text, "{}", description.pipeline_execution_arn);
    text
}

fn time(step: &StepDescription) -> String {
    match (step.step_status, step.started_at_ms, step.ended_at_ms) {
        (Some(_), Some(start), Some(end)) => duration(end.saturating_sub(start)),
        _ => "-".to_owned(),
    }
}

fn detail(step: &StepDescription) -> String {
    let text = step.failure_reason.as_ref().or(step.reason.as_ref()).map_or("", String::as_str);
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(CELL_CHARS) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

/// A list of executions.
pub(crate) fn list(summaries: &[Summary]) -> String {
    let mut rows = table(&["execution", "pipeline", "status", "started", "took"]);
    for summary in summaries {
        let took =
            summary.ended_at_ms.map(|end| duration(end.saturating_sub(summary.started_at_ms)));
        rows.add_row([
            summary.execution_id.to_string(),
            summary.pipeline_name.to_string(),
            summary.status.name().to_owned(),
            timestamp(summary.started_at_ms),
            took.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    format!("{rows}\n")
}

/// Milliseconds for people: `35 ms`, `1.2 s`, `3 min 4 s`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}
