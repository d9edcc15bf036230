//! Progress as one line of JSON among the function's logs.
//!
//! ```text
//! {"Sidestep":{"Progress":{"Fraction":0.4,"Message":"40 of 100 files"}}}
//! ```
//!
//! Either key may be absent. `sidestep run` and `sidestep logs --follow` recognise the line by its
//! beginning; for any other reader it is a log line. A function in any language can print it.

use std::io::Write;
use std::time::{Duration, Instant};

use serde::Serialize;

/// The least time between two lines. Reports that come sooner are dropped, so that a loop may
/// report every row.
const INTERVAL: Duration = Duration::from_millis(250);

/// How far a step has come: a fraction from 0 to 1, a message, or both.
///
/// ```
/// use sidestep_step::Progress;
///
/// let _ = Progress::from(0.4);
/// let _ = Progress::from("sorting");
/// let _ = Progress::from((0.4, "40 of 100 files"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Progress {
    #[serde(skip_serializing_if = "Option::is_none")]
    fraction: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl From<f64> for Progress {
    fn from(fraction: f64) -> Self {
        // NaN (nothing of nothing) is not a fraction, and JSON has no word for it.
        let fraction = (!fraction.is_nan()).then(|| fraction.clamp(0.0, 1.0));
        Self { fraction, message: None }
    }
}

impl From<&str> for Progress {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl From<String> for Progress {
    fn from(message: String) -> Self {
        Self { fraction: None, message: Some(message) }
    }
}

impl<M: Into<String>> From<(f64, M)> for Progress {
    fn from((fraction, message): (f64, M)) -> Self {
        Self { message: Some(message.into()), ..fraction.into() }
    }
}

impl Progress {
    /// Returns the line, without its end.
    pub(crate) fn line(&self) -> String {
        format!("{{\"Sidestep\":{{\"Progress\":{}}}}}", serde_json::json!(self))
    }

    /// Prints the line in one write, so that lines of other threads do not cut it up.
    ///
    /// A failure is ignored: a closed output is not the step's problem.
    pub(crate) fn print(&self) {
        let line = self.line() + "\n";
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

/// Decides which reports are worth a line.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<Instant>,
}

impl Throttle {
    /// Returns true for the first report, the end, and every report that keeps its distance.
    pub(crate) fn admits(&mut self, progress: &Progress, now: Instant) -> bool {
        let end = progress.fraction.is_some_and(|fraction| fraction >= 1.0);
        let due = self.last.is_none_or(|last| now.duration_since(last) >= INTERVAL);
        if due {
            self.last = Some(now);
        }
        end || due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_a_fixed_shape() {
        let lines = [
            (Progress::from(0.4), r#"{"Sidestep":{"Progress":{"Fraction":0.4}}}"#),
            (Progress::from("hi"), r#"{"Sidestep":{"Progress":{"Message":"hi"}}}"#),
            (
                Progress::from((7.0, "all \"done\"\n")),
                r#"{"Sidestep":{"Progress":{"Fraction":1.0,"Message":"all \"done\"\n"}}}"#,
            ),
            (Progress::from(f64::NAN), r#"{"Sidestep":{"Progress":{}}}"#),
        ];
        for (progress, line) in lines {
            assert_eq!(progress.line(), line);
        }
    }

    #[test]
    fn a_loop_may_report_every_row() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        let mut admits = |fraction: f64, ms| {
            throttle.admits(&fraction.into(), start + Duration::from_millis(ms))
        };
        assert!(admits(0.0, 0), "the first");
        assert!(!admits(0.1, 249), "too soon");
        assert!(admits(0.2, 250), "late enough");
        assert!(!admits(0.3, 499), "too soon after the last that passed");
        assert!(admits(1.0, 499), "the end");
    }
}
