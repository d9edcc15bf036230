//! The platform's lines in a log: START, END and REPORT, worded as in CloudWatch Logs.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html>

use std::fmt;
use std::time::Duration;

use sidestep_core::failure::FailureType;

use super::invocation::Failure;
use super::invocation_log::InvocationLog;

/// The content of an invocation's REPORT line.
#[derive(Debug, Clone)]
pub(super) struct Report<'a> {
    pub(super) request_id: &'a str,
    pub(super) duration: Duration,
    /// The start time of the environment; only for its first invocation.
    pub(super) init_duration: Option<Duration>,
    pub(super) memory_mb: u32,
    /// The most memory used; absent if the system does not tell.
    pub(super) max_memory_used_mb: Option<u64>,
    /// The platform's failure, if the environment did not survive the invocation.
    pub(super) failure: Option<&'a Failure>,
}

/// Writes the START line.
pub(super) fn write_start(log: &mut InvocationLog, request_id: &str) {
    log.platform(&format!("START RequestId: {request_id} Version: $LATEST"));
}

/// Writes that an initialisation begins again, as Lambda's INIT_REPORT says it.
///
/// Without a failure it took too long.
pub(super) fn write_init(
    log: &mut InvocationLog,
    took: Duration,
    timeout: Duration,
    failure: Option<&Failure>,
) {
    log.end_line();
    let ms = took.as_secs_f64() * 1e3;
    let status = match failure {
        Some(failure) => format!("error\tError Type: {}", failure.error_type),
        None => "timeout".to_owned(),
    };
    log.platform(&format!("INIT_REPORT Init Duration: {ms:.2} ms\tPhase: init\tStatus: {status}"));
    let seconds = timeout.as_secs_f64();
    log.platform(&format!(
        "the initialisation begins again, within the function's own timeout of {seconds:.2} seconds"
    ));
}

/// Writes the END and REPORT lines.
pub(super) fn write_end(log: &mut InvocationLog, report: &Report<'_>) {
    log.end_line();
    log.platform(&format!("END RequestId: {}", report.request_id));
    log.platform(&report.to_string());
    log.flush();
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let billed = (self.duration + self.init_duration.unwrap_or_default()).as_secs_f64() * 1e3;
        write!(f, "REPORT RequestId: {}\t", self.request_id)?;
        write!(f, "Duration: {:.2} ms\t", self.duration.as_secs_f64() * 1e3)?;
        write!(f, "Billed Duration: {} ms\t", billed.ceil())?;
        write!(f, "Memory Size: {} MB\t", self.memory_mb)?;
        if let Some(used) = self.max_memory_used_mb {
            write!(f, "Max Memory Used: {used} MB\t")?;
        }
        if let Some(init) = self.init_duration {
            write!(f, "Init Duration: {:.2} ms\t", init.as_secs_f64() * 1e3)?;
        }
        match self.failure.map(|failure| failure.error_type.as_str()) {
            None => Ok(()),
            Some(error_type) if error_type == FailureType::SandboxTimedout.as_str() => {
                f.write_str("Status: timeout")
            }
            Some(error_type) => write!(f, "Status: error\tError Type: {error_type}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_worded_as_lambda_words_it() {
        let report = Report {
            request_id: "c0ffee",
            duration: Duration::from_micros(2_264),
            init_duration: Some(Duration::from_micros(14_020)),
            memory_mb: 128,
            max_memory_used_mb: Some(31),
            failure: None,
        };
        insta::assert_snapshot!(report.to_string().replace('\t', " | "), @"REPORT RequestId: c0ffee | Duration: 2.26 ms | Billed Duration: 17 ms | Memory Size: 128 MB | Max Memory Used: 31 MB | Init Duration: 14.02 ms | ");

        let failure = Failure::platform(FailureType::RuntimeExitError, "c0ffee", "Runtime exited");
        let crashed = Report {
            failure: Some(&failure),
            init_duration: None,
            max_memory_used_mb: None,
            ..report
        };
        insta::assert_snapshot!(crashed.to_string().replace('\t', " | "), @"REPORT RequestId: c0ffee | Duration: 2.26 ms | Billed Duration: 3 ms | Memory Size: 128 MB | Status: error | Error Type: Runtime.ExitError");
    }
}
