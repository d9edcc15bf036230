//! The progress of an execution on stderr: live on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;
use sidestep_core::definition::{Pipeline, StepIndex};
use sidestep_core::execution::commit::{AttemptResult, Commit, Failure, Verdict};
use sidestep_core::name::ExecutionId;
use sidestep_local::lambda::{LogKey, LogLine};
use tokio::sync::broadcast::{self, error::RecvError};

use super::table::duration;
use crate::session::Session;

/// How many log lines are shown with a failure.
const TAIL: usize = 12;

/// What is shown of one execution so far.
#[derive(Debug)]
pub(crate) struct Progress {
    names: Vec<String>,
    logs: PathBuf,
    is_shown: bool,
    /// One line per running step, on a terminal only.
    live: Option<MultiProgress>,
    running: BTreeMap<StepIndex, Running>,
    lines: Option<broadcast::Receiver<LogLine>>,
}

#[derive(Debug)]
struct Running {
    bar: Option<ProgressBar>,
    since_ms: u64,
    attempt_count: u32,
}

impl Progress {
    pub(crate) fn new(pipeline: &Pipeline, session: &Session, is_shown: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal() && is_shown;
        Self {
            names: pipeline.steps.iter().map(|step| step.name.to_string()).collect(),
            logs: session.state.join("logs"),
            is_shown,
            live: is_terminal.then(MultiProgress::new),
            running: BTreeMap::new(),
            lines: session.cloud.as_ref().map(|cloud| cloud.lambda().follow_logs()),
        }
    }

    fn print(&self, line: &str) {
        match &self.live {
            // A closed terminal is not a failure of the execution.
            Some(terminal) => drop(terminal.println(line)),
            None if self.is_shown => eprintln!("{line}"),
            None => {}
        }
    }

    fn step(&self, step: StepIndex, what: &str, detail: &str) {
        let width = self.names.iter().map(String::len).max().unwrap_or_default();
        self.print(format!("  {:<width$}  {what:<9}  {detail}", self.names[step.0]).trim_end());
    }

    /// Shows the execution's id.
    pub(crate) fn started(&self, id: &ExecutionId) {
        self.print(&format!("execution {id}"));
    }

    /// Shows what one commit changed.
    pub(crate) fn commit(&mut self, id: &ExecutionId, commit: &Commit) {
        for completion in &commit.completions {
            let running = self.running.remove(&completion.step);
            if let Some(bar) = running.as_ref().and_then(|running| running.bar.as_ref()) {
                bar.finish_and_clear();
            }
            let since = running.map_or(commit.at_ms, |running| running.since_ms);
            let took = duration(commit.at_ms.saturating_sub(since));
            match &completion.result {
                AttemptResult::Succeeded(_) => self.step(completion.step, "succeeded", &took),
                AttemptResult::Retried(retried) => {
                    let Failure { error_type, message } = &retried.failure;
                    let wait = duration(retried.at_ms.saturating_sub(commit.at_ms));
                    let detail = format!("{error_type}: {message}; next attempt in {wait}");
                    self.step(completion.step, "retry", &detail);
                }
                AttemptResult::Failed(failure) => {
                    self.failed(id, completion.step, completion.attempt_count, failure);
                }
            }
        }
        for warning in &commit.warnings {
            self.step(warning.step, "warning", &warning.message);
        }
        for decision in &commit.decisions {
            if let Some(warning) = &decision.warning {
                self.step(decision.step, "warning", warning);
            }
            let (step, reason) = (decision.step, decision.reason.as_str());
            match &decision.verdict {
                Verdict::Run(claim) => {
                    self.step(step, "run", reason);
                    if let Some(token) = &claim.callback_token {
                        let answer =
                            format!("for `sidestep callback success {token}` (or failure)");
                        self.step(step, "waits", &answer);
                    }
                    let bar = self.live.as_ref().map(|live| spinner(live, &self.names[step.0]));
                    let (since_ms, attempt_count) = (commit.at_ms, claim.attempt_count);
                    self.running.insert(step, Running { bar, since_ms, attempt_count });
                }
                Verdict::CacheHit(_) => self.step(step, "cached", reason),
                Verdict::Reused(_) => self.step(step, "reused", reason),
                // Steps that are left out on purpose are only in the final table.
                Verdict::NotSelected => {}
                Verdict::Condition(holds) => {
                    self.step(step, if *holds { "true" } else { "false" }, reason);
                }
                Verdict::Failed(_) => self.step(step, "failed", reason),
                Verdict::Stopped { .. } => self.step(step, "stopped", reason),
                Verdict::Skipped | Verdict::NotStarted => self.step(step, "skipped", reason),
            }
        }
    }

    /// Shows an attempt's error and the last lines of its log.
    fn failed(&self, id: &ExecutionId, step: StepIndex, attempt_count: u32, failure: &Failure) {
        self.step(step, "failed", &format!("{}: {}", failure.error_type, failure.message));
        let key = LogKey::parse(&format!("{id}/{}/{attempt_count}", self.names[step.0])).ok();
        let log = key.and_then(|key| key.read(&self.logs).ok()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(TAIL)..] {
            self.print(&format!("    | {line}"));
        }
        if lines.len() > TAIL {
            self.print(&format!("    | whole log: sidestep logs {id} {}", self.names[step.0]));
        }
    }

    /// Waits for one log line of a step and shows the progress it reports. It never returns in a
    /// session whose cloud is in another process.
    pub(crate) async fn progress(&mut self) {
        let Some(lines) = &mut self.lines else { return std::future::pending().await };
        match lines.recv().await {
            Ok(line) => self.show_progress(&line),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => self.lines = None,
        }
    }

    fn show_progress(&self, line: &LogLine) {
        let Some(start) = line.message.find("{\"Sidestep\":{\"Progress\":") else { return };
        let Ok(value) = serde_json::from_str::<Value>(line.message[start..].trim()) else { return };
        let progress = &value["Sidestep"]["Progress"];
        let Some(step) = line.key.as_str().split('/').nth(1) else { return };
        let Some(index) = self.names.iter().position(|name| name == step).map(StepIndex) else {
            return;
        };
        let fraction =
            progress["Fraction"].as_f64().map(|fraction| format!("{:.0} %", fraction * 100.0));
        let message = progress["Message"].as_str().map(str::to_owned);
        let text = [fraction, message].into_iter().flatten().collect::<Vec<_>>().join(" ");
        match self.running.get(&index).and_then(|running| running.bar.as_ref()) {
            Some(bar) => bar.set_message(text),
            None => self.step(index, "progress", &text),
        }
    }

    /// Clears the live lines.
    pub(crate) fn finish(&self) {
        for running in self.running.values() {
            if let Some(bar) = &running.bar {
                bar.finish_and_clear();
            }
            tracing::debug!(attempt_count = running.attempt_count, "still running at the end");
        }
    }
}

fn spinner(live: &MultiProgress, name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {msg}");
    let bar = live.add(ProgressBar::new_spinner());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_prefix(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
