//! The log of a job: what its process prints, with a time for each line.
//!
//! It has the form of the Lambda host's logs, in a file of its own. It may grow to a bound and no
//! more: then one line says so, and the rest is read and dropped, so that a chatty script neither
//! blocks nor fills the disk. Metrics are looked for in every line all the same.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use regex_lite::Regex;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::jobs::record::{Metric, Record};
use crate::s3::now_ms;

/// The form of the time of a line.
const TIMESTAMP: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
/// The most bytes of a job's log.
const LOG_BYTES: u64 = 64 * 1024 * 1024;
/// The longest line (the size of a CloudWatch Logs event). A longer one is split.
const LINE_BYTES: usize = 256 * 1024;
/// How many of the last lines a failure may quote.
const LAST_LINES: usize = 12;
/// The mark of the lines, which is the end of the log's key.
const MARK: &str = "algo-1";

/// The log of a job, open while the job runs.
pub(super) struct JobLog {
    file: Option<File>,
    unwritten: String,
    written: u64,
    is_truncated: bool,
    partial: Vec<u8>,
    last: VecDeque<String>,
    watched: Vec<(Metric, Option<Regex>, bool)>,
    /// What the built-in algorithm XGBoost reports, if it runs: a channel, a metric, a value.
    reported: Option<Regex>,
}

impl fmt::Debug for JobLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobLog").field("written", &self.written).finish_non_exhaustive()
    }
}

impl JobLog {
    /// Opens the log of a job in the folder of logs. A file that cannot be opened costs its lines.
    pub(super) fn open(folder: &Path, record: &Record) -> Self {
        let path = folder.join(format!("{}.{}.log", record.kind.log_name(), record.name));
        let opened = fs::create_dir_all(folder)
            .and_then(|()| File::options().create(true).append(true).open(&path));
        if let Err(error) = &opened {
            tracing::warn!(%error, path = %path.display(), "a job's log cannot be written");
        }
        let metrics = record.request["AlgorithmSpecification"]["MetricDefinitions"].as_array();
        let watched = metrics.into_iter().flatten().filter_map(|metric| {
            let name = metric["Name"].as_str()?.to_owned();
            let regex = Regex::new(metric["Regex"].as_str()?).ok()?;
            Some((Metric { name, value: 0.0, at_ms: 0 }, Some(regex), false))
        });
        Self {
            file: opened.ok(),
            unwritten: String::new(),
            written: 0,
            is_truncated: false,
            partial: Vec::new(),
            last: VecDeque::new(),
            watched: watched.collect(),
            reported: None,
        }
    }

    /// Looks for the metrics of the built-in algorithm XGBoost, such as `validation:rmse`.
    pub(super) fn watch_xgboost(&mut self) {
        self.reported = Regex::new(r"(train|validation)-([\w@.:-]+):([-+.\deE]+)").ok();
    }

    /// Takes what the process printed.
    pub(super) fn output(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(part);
            if part.ends_with(b"\n") || self.partial.len() >= LINE_BYTES {
                self.end_line();
            }
        }
        self.flush();
    }

    /// Ends a line that the process left open.
    pub(super) fn end_line(&mut self) {
        let partial = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&partial);
        for line in text.split(['\n', '\r']).filter(|line| !line.is_empty()) {
            self.measure(line);
            if self.last.len() == LAST_LINES {
                self.last.pop_front();
            }
            self.last.push_back(line.chars().take(LINE_BYTES / 256).collect());
            if self.is_truncated {
                continue;
            }
            self.written += line.len() as u64 + 1;
            if self.written > LOG_BYTES {
                self.is_truncated = true;
                self.line(&format!("[log truncated: over {LOG_BYTES} bytes, the rest is dropped]"));
            } else {
                self.line(line);
            }
        }
        self.flush();
    }

    /// Adds a line of the runner's own.
    pub(super) fn say(&mut self, text: &str) {
        for line in text.lines() {
            self.line(&format!("[sidestep] {line}"));
        }
        self.flush();
    }

    /// Returns the last lines that the process printed.
    pub(super) fn last_lines(&self) -> String {
        self.last.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Returns the last value of each metric that was found.
    pub(super) fn metrics(&self) -> Vec<Metric> {
        let found = self.watched.iter().filter(|(_, _, is_found)| *is_found);
        found.map(|(metric, _, _)| metric.clone()).collect()
    }

    /// Looks for metrics in a line.
    fn measure(&mut self, line: &str) {
        for captures in self.reported.iter().flat_map(|regex| regex.captures_iter(line)) {
            let name = format!("{}:{}", &captures[1], &captures[2]);
            let Ok(value) = captures[3].parse() else { continue };
            let known = self.watched.iter_mut().find(|(metric, _, _)| metric.name == name);
            match known {
                Some((metric, _, is_found)) => {
                    (metric.value, metric.at_ms, *is_found) = (value, now_ms(), true);
                }
                None => {
                    self.watched.push((Metric { name, value, at_ms: now_ms() }, None, true));
                }
            }
        }
        for (metric, regex, is_found) in &mut self.watched {
            let Some(regex) = regex else { continue };
            let values = regex.captures_iter(line).filter_map(|captures| {
                let text = captures.get(1).or_else(|| captures.get(0))?.as_str();
                text.trim().parse::<f64>().ok().filter(|value| value.is_finite())
            });
            if let Some(value) = values.last() {
                (metric.value, metric.at_ms, *is_found) = (value, now_ms(), true);
            }
        }
    }

    fn line(&mut self, text: &str) {
        let at = OffsetDateTime::now_utc().format(TIMESTAMP).unwrap_or_default();
        self.unwritten.extend([at.as_str(), "\t", MARK, "\t", text, "\n"]);
    }

    fn flush(&mut self) {
        if self.unwritten.is_empty() {
            return;
        }
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(self.unwritten.as_bytes())
        {
            tracing::warn!(%error, "a job's log cannot be written any more");
            self.file = None;
        }
        self.unwritten.clear();
    }
}
