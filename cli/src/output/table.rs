//! Executions as tables.

use std::fmt::Write as _;

use comfy_table::{Table, presets};
use sidestep_core::execution::savings::Savings;
use sidestep_core::view::description::{ExecutionDescription, StepDescription, timestamp};
use sidestep_core::view::forecast::{Forecast, ForecastSummary};
use sidestep_core::view::price::savings_usd;
use sidestep_engine::ports::executions::Summary;

/// Longer values are cut; `--json` has all of them.
const VALUE_CHARS: usize = 1000;

/// Returns an empty table without lines.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec());
    table
}

/// Returns the steps, their outputs, and the result of an execution.
pub(crate) fn execution(description: &ExecutionDescription) -> String {
    let mut steps = table(&["step", "type", "decision", "status", "time", "reason or result"]);
    for step in &description.steps {
        steps.add_row([
            step.step_name.clone(),
            step.step_type.to_string(),
            step.decision.unwrap_or("-").to_owned(),
            step.step_status.unwrap_or("-").to_owned(),
            time(step),
            detail(step),
        ]);
    }
    let mut text = format!("{steps}\n");
    for step in &description.steps {
        write_notes(&mut text, step);
    }
    for step in &description.steps {
        for (name, value) in &step.output_parameters {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(text, "{}.{name} = {}", step.step_name, cut(&value, VALUE_CHARS));
        }
    }
    write_result(&mut text, description);
    text
}

/// Appends a step's warnings, and what the user should know about its attempts and outputs.
fn write_notes(text: &mut String, step: &StepDescription) {
    let name = &step.step_name;
    for warning in &step.warnings {
        let _ = writeln!(text, "warning: `{name}`: {warning}");
    }
    for failed in &step.failed_attempts {
        let (count, kind) = (failed.attempt_count, &failed.failure_type);
        let why = cut(&failed.failure_reason, VALUE_CHARS);
        let _ = writeln!(text, "note: `{name}`: attempt {count} failed: {kind}: {why}");
    }
    for late in &step.discarded_results {
        let (count, status) = (late.attempt_count, late.step_status.to_lowercase());
        let _ = writeln!(
            text,
            "note: `{name}`: attempt {count} {status} after it was given up; its result was discarded"
        );
    }
    if !step.tainted_by.is_empty() {
        let by = step.tainted_by.join(", ");
        let _ = writeln!(text, "note: `{name}` depends on outputs supplied by hand: {by}");
    }
}

/// Appends how an execution ended, what it saved, and its ARN as the last line.
fn write_result(text: &mut String, description: &ExecutionDescription) {
    let summary = &description.summary;
    let _ = writeln!(
        text,
        "{} {} in {}: {} run, {} cached, {}{} skipped, {}{} failed",
        description.pipeline_name,
        description.pipeline_execution_status,
        duration(summary.duration_ms),
        summary.run,
        summary.cache_hit,
        some(summary.reused, "reused"),
        summary.skipped,
        some(summary.not_selected, "not selected"),
        summary.failed,
    );
    if summary.saved_ms > 0 {
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
}

/// Returns a count with a comma behind it, or nothing if it is zero.
fn some(count: usize, what: &str) -> String {
    if count > 0 { format!("{count} {what}, ") } else { String::new() }
}

/// Returns what a run would do as a table.
pub(crate) fn forecast(forecast: &Forecast) -> String {
    let mut steps = table(&["step", "type", "decision", "reason"]);
    for step in &forecast.steps {
        steps.add_row([
            step.step_name.clone(),
            step.step_type.to_string(),
            step.decision.to_owned(),
            cut(step.reason.lines().next().unwrap_or_default(), VALUE_CHARS),
        ]);
    }
    let mut text = format!("{steps}\n");
    for step in &forecast.steps {
        if let Some(warning) = &step.warning {
            let _ = writeln!(text, "warning: `{}`: {warning}", step.step_name);
        }
    }
    let ForecastSummary { run, may_run, cache_hit, reused, skipped, not_selected, failed, .. } =
        forecast.summary;
    let counts = [
        (run, "would run"),
        (may_run, "may run"),
        (cache_hit, "cached"),
        (reused, "reused"),
        (skipped, "skipped"),
        (not_selected, "not selected"),
        (failed, "would fail"),
    ];
    let shown = counts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> = shown.map(|(count, what)| format!("{count} {what}")).collect();
    let _ = writeln!(text, "{}: {}", forecast.pipeline_name, words.join(", "));
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
    cut(line, VALUE_CHARS)
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns executions as a table.
pub(crate) fn list(summaries: &[Summary]) -> String {
    let mut rows = table(&["execution", "pipeline", "status", "started", "took", "saved"]);
    for summary in summaries {
        let took =
            summary.ended_at_ms.map(|end| duration(end.saturating_sub(summary.started_at_ms)));
        rows.add_row([
            summary.execution_id.to_string(),
            summary.pipeline_name.to_string(),
            summary.status.name().to_owned(),
            timestamp(summary.started_at_ms),
            took.unwrap_or_else(|| "-".to_owned()),
            saved(summary.saved),
        ]);
    }
    format!("{rows}\n")
}

/// Returns the function time that reuse saved, and its price.
fn saved(saved: Savings) -> String {
    match saved.ms {
        0 => "-".to_owned(),
        ms => format!("{}, ${:.6}", duration(ms), savings_usd(saved)),
    }
}

/// Returns milliseconds as text: `35 ms`, `1.2 s`, `3 min 4 s`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}
