//! Executions as tables.

use std::fmt::Write as _;

use sidestep_core::execution::savings::Savings;
use sidestep_core::view::description::{ExecutionDescription, StepDescription, timestamp};
use sidestep_core::view::forecast::{Forecast, ForecastSummary};
use sidestep_core::view::price::savings_usd;
use sidestep_engine::ports::executions::Summary;

use super::printable::Printable;
use super::rows::Rows;
use super::screen::Screen;

/// A line of the list of executions.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) summary: Summary,
    /// It has not ended, and no process drives it.
    pub(crate) is_interrupted: bool,
    /// How long it was driven; known once it has ended.
    pub(crate) duration_ms: Option<u64>,
}

/// Longer values are cut; `--json` has all of them.
const VALUE_CHARS: usize = 1000;

/// Returns the steps of an execution, and what the user should know about them.
pub(crate) fn steps(description: &ExecutionDescription, screen: Screen) -> String {
    let header = ["step", "type", "decision", "status", "time", "reason or result"];
    let mut rows = Rows::new(&header, &[5, 0]);
    for step in &description.steps {
        let row = [
            step.step_name.clone(),
            step.step_type.to_string(),
            step.decision.unwrap_or("-").to_owned(),
            step.step_status.unwrap_or("-").to_owned(),
            time(step),
            detail(step),
        ];
        if step.step_status == Some("Failed") { rows.add_failed(row) } else { rows.add(row) }
    }
    let mut text = rows.text(screen);
    for step in &description.steps {
        write_notes(&mut text, step);
    }
    text
}

/// Returns the outputs of the steps, and the result of an execution.
pub(crate) fn result(description: &ExecutionDescription, screen: Screen) -> String {
    let mut text = String::new();
    for step in &description.steps {
        for (name, value) in &step.output_parameters {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(text, "{}.{name} = {}", step.step_name, cut(&value, VALUE_CHARS));
        }
    }
    write_result(&mut text, description, screen);
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
fn write_result(text: &mut String, description: &ExecutionDescription, screen: Screen) {
    let summary = &description.summary;
    let line = format!(
        "{} {} in {}: {} run, {} cached, {}{} skipped, {}{} failed",
        description.pipeline_name,
        status(description.pipeline_execution_status, description.interrupted),
        duration(summary.duration_ms),
        summary.run,
        summary.cache_hit,
        some(summary.reused, "reused"),
        summary.skipped,
        some(summary.not_selected, "not selected"),
        summary.failed,
    );
    let is_failed =
        matches!(description.pipeline_execution_status, "Failed" | "CompletedWithFailures");
    let _ = writeln!(text, "{}", if is_failed { screen.failure(&line) } else { line });
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
pub(crate) fn forecast(forecast: &Forecast, screen: Screen) -> String {
    let mut rows = Rows::new(&["step", "type", "decision", "reason"], &[3, 0]);
    for step in &forecast.steps {
        let row = [
            step.step_name.clone(),
            step.step_type.to_string(),
            step.decision.to_owned(),
            cut(step.reason.lines().next().unwrap_or_default(), VALUE_CHARS),
        ];
        if step.decision == "Failed" { rows.add_failed(row) } else { rows.add(row) }
    }
    let mut text = rows.text(screen);
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
        (Some(_), Some(start), Some(end)) => {
            duration(end.saturating_sub(start).saturating_sub(step.interrupted_ms))
        }
        _ => "-".to_owned(),
    }
}

/// Returns the failure of a step, or else the reason of its decision.
pub(crate) fn detail(step: &StepDescription) -> String {
    let text = step.failure_reason.as_ref().or(step.reason.as_ref()).map_or("", String::as_str);
    let line = text.lines().next().unwrap_or_default();
    cut(line, VALUE_CHARS)
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}...", Printable(&text[..end])),
        None => Printable(text).to_string(),
    }
}

/// Returns the status of an execution in words, which says whether a process drives it.
fn status(name: &str, is_interrupted: bool) -> String {
    match (name, is_interrupted) {
        (_, false) => name.to_owned(),
        ("Executing", true) => "interrupted".to_owned(),
        (_, true) => format!("{name}, interrupted"),
    }
}

/// Returns executions as a table.
pub(crate) fn list(lines: &[Line], screen: Screen) -> String {
    let header = ["execution", "pipeline", "status", "started", "took", "saved"];
    let mut rows = Rows::new(&header, &[1, 5]);
    for Line { summary, is_interrupted, duration_ms } in lines {
        let took = duration_ms.map(duration);
        let row = [
            summary.execution_id.to_string(),
            summary.pipeline_name.to_string(),
            status(summary.status.name(), *is_interrupted),
            second(summary.started_at_ms),
            took.unwrap_or_else(|| "-".to_owned()),
            saved(summary.saved),
        ];
        if summary.status.has_failures() { rows.add_failed(row) } else { rows.add(row) }
    }
    rows.text(screen)
}

/// Returns a time in UTC to the second: `2013-01-31 06:00:00`.
pub(crate) fn second(ms: u64) -> String {
    let text = timestamp(ms);
    text.split('.').next().unwrap_or(&text).trim_end_matches('Z').replace('T', " ")
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
