//! The progress of an execution on stderr: live on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use sidestep_core::definition::{Pipeline, StepIndex};
use sidestep_core::execution::commit::{AttemptResult, Commit, Failure, Verdict};
use sidestep_core::name::ExecutionId;
use sidestep_core::view::description::ExecutionDescription;
use sidestep_local::lambda::{LogKey, LogLine};
use tokio::sync::broadcast::{self, error::RecvError};

use super::failure_log::failure_log;
use super::printable::{Printable, styled};
use super::progress_line::progress_of;
use super::screen::Screen;
use super::table::{detail, duration};
use crate::session::Session;
use crate::source_paths::SourcePaths;

/// What is shown of one execution so far.
#[derive(Debug)]
pub(crate) struct Progress {
    pipeline: Pipeline,
    names: Vec<String>,
    logs: PathBuf,
    sources: SourcePaths,
    /// What the reader can be shown, if anything is.
    screen: Option<Screen>,
    /// One line per running step, on a terminal only.
    live: Option<MultiProgress>,
    running: BTreeMap<StepIndex, Running>,
    /// What was shown of each step.
    shown: BTreeMap<StepIndex, Vec<String>>,
    lines: Option<broadcast::Receiver<LogLine>>,
}

#[derive(Debug)]
struct Running {
    bar: Option<ProgressBar>,
    since_ms: u64,
    attempt_count: u32,
}

impl Progress {
    /// Shows nothing without a screen.
    pub(crate) fn new(pipeline: &Pipeline, session: &Session, screen: Option<Screen>) -> Self {
        let is_terminal = std::io::stderr().is_terminal() && screen.is_some();
        Self {
            pipeline: pipeline.clone(),
            names: pipeline.steps.iter().map(|step| step.name.to_string()).collect(),
            logs: session.state.join("logs"),
            sources: session.sources.clone(),
            screen,
            live: is_terminal.then(MultiProgress::new),
            running: BTreeMap::new(),
            shown: BTreeMap::new(),
            lines: session.cloud.as_ref().map(|cloud| cloud.lambda().follow_logs()),
        }
    }

    fn print(&self, line: &str) {
        match &self.live {
            // A closed terminal is not a failure of the execution.
            Some(terminal) => drop(terminal.println(styled(line))),
            None if self.screen.is_some() => eprintln!("{line}"),
            None => {}
        }
    }

    /// Shows one line about a step, as far as the screen is wide.
    fn step(&mut self, step: StepIndex, what: &str, detail: &str) {
        let line = self.line(step, what, detail);
        self.print(&self.screen.map_or_else(String::new, |screen| screen.fit(&line)));
    }

    /// Shows one line about a step that must be read to its end.
    fn step_whole(&mut self, step: StepIndex, what: &str, detail: &str) {
        let line = self.line(step, what, detail);
        self.print(&line);
    }

    /// Shows the failure of a step.
    fn step_failed(&mut self, step: StepIndex, detail: &str) {
        let line = self.line(step, "failed", detail);
        self.print(&self.screen.map_or_else(String::new, |screen| screen.failure(&line)));
    }

    fn line(&mut self, step: StepIndex, what: &str, detail: &str) -> String {
        self.shown.entry(step).or_default().push(detail.to_owned());
        let width = self.names.iter().map(String::len).max().unwrap_or_default();
        let line = format!("  {:<width$}  {what:<9}  {detail}", self.names[step.0]);
        line.trim_end().to_owned()
    }

    /// Returns true if a table of the steps would add nothing to the lines that were shown.
    pub(crate) fn has_shown(&self, description: &ExecutionDescription) -> bool {
        self.screen.is_some()
            && description.steps.iter().all(|step| {
                let lines = self.shown.get(&step.index).map(Vec::as_slice).unwrap_or_default();
                let is_told = |text: &str| lines.iter().any(|line| line.contains(text));
                let is_left_out = step.decision == Some("NotSelected");
                let has_news = !step.discarded_results.is_empty() || !step.tainted_by.is_empty();
                is_left_out || (!lines.is_empty() && is_told(&detail(step)) && !has_news)
            })
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
            // Unknown if another process drove the step when it began.
            let took = running.map_or_else(String::new, |running| {
                duration(commit.at_ms.saturating_sub(running.since_ms))
            });
            match &completion.result {
                AttemptResult::Succeeded(_) => self.step(completion.step, "succeeded", &took),
                AttemptResult::Retried(retried) => {
                    let Failure { error_type, message } = &retried.failure;
                    let wait = duration(retried.at_ms.saturating_sub(commit.at_ms));
                    let detail = format!("{error_type}: {message}; next attempt in {wait}");
                    self.step_whole(completion.step, "retry", &detail);
                }
                AttemptResult::Failed(failure) => {
                    self.failed(id, completion.step, completion.attempt_count, failure);
                }
            }
        }
        for warning in &commit.warnings {
            self.step_whole(warning.step, "warning", &warning.message);
        }
        for decision in &commit.decisions {
            if let Some(warning) = &decision.warning {
                self.step_whole(decision.step, "warning", warning);
            }
            let (step, reason) = (decision.step, decision.reason.as_str());
            match &decision.verdict {
                Verdict::Run(claim) => {
                    self.step(step, "run", reason);
                    if let Some(token) = &claim.callback_token {
                        let answer =
                            format!("for `sidestep callback success {token}` (or failure)");
                        self.step_whole(step, "waits", &answer);
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
                Verdict::Failed(_) => self.step_failed(step, reason),
                Verdict::Stopped { .. } => self.step(step, "stopped", reason),
                Verdict::Skipped | Verdict::NotStarted => self.step(step, "skipped", reason),
            }
        }
    }

    /// Shows an attempt's error and what its log says about it.
    fn failed(&mut self, id: &ExecutionId, step: StepIndex, attempt_count: u32, failure: &Failure) {
        let Failure { error_type, message } = failure;
        let message = self.sources.of_step(&self.pipeline, step, message).into_owned();
        self.step_failed(step, &format!("{error_type}: {message}"));
        let name = &self.names[step.0];
        let key = LogKey::parse(&format!("{id}/{name}/{attempt_count}")).ok();
        let log = key.and_then(|key| key.read(&self.logs).ok()).unwrap_or_default();
        let found = failure_log(&log);
        for line in found.lines {
            // Python's runtime client indents with blanks that do not break.
            let line = self.sources.of_step(&self.pipeline, step, line).replace('\u{a0}', " ");
            self.print(&format!("    | {line}"));
        }
        if found.has_more {
            self.print(&format!("    | whole log: sidestep logs {id} {name}"));
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

    fn show_progress(&mut self, line: &LogLine) {
        let Some(text) = progress_of(&line.message) else { return };
        let Some(step) = line.key.as_str().split('/').nth(1) else { return };
        let Some(index) = self.names.iter().position(|name| name == step).map(StepIndex) else {
            return;
        };
        match self.running.get(&index).and_then(|running| running.bar.as_ref()) {
            Some(bar) => bar.set_message(Printable(&text).to_string()),
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
