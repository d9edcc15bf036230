//! The end of an invocation, with its environment or without, and what the log says about it.

use std::time::Duration;

use sidestep_core::failure::FailureType;
use time::OffsetDateTime;

use super::{Current, End, Init, Stage, Worker};
use crate::lambda::environment_handle::{Assignment, Done, InitTry};
use crate::lambda::invocation::{Failure, Outcome};
use crate::lambda::invocation_log::InvocationLog;
use crate::lambda::log::TIMESTAMP;
use crate::lambda::report::{self, Report};

impl Worker {
    /// Ends an answered invocation and keeps the environment.
    pub(super) fn complete(&mut self) {
        let Some(current) = self.current.take() else { return };
        let Current { assignment, mut log, stage } = current;
        let Stage::Running { since, answer: Some(result), .. } = stage else { return };
        self.access.end();
        self.process.output.drain(|output| log.output(output));
        self.report(&mut log, &assignment.invocation.request_id, since.elapsed(), None);
        let outcome = Outcome { result, log_tail: log.tail() };
        self.last_log = Some(log);
        let _ = assignment.done.send(Done::Alive(outcome));
    }

    /// Kills what is left, and tells the invocation how it ended if there is one.
    pub(super) async fn finish(mut self, end: End) {
        self.shared.scheduler.retire(&self.function.config.name, self.id);
        let max_memory_used_mb = self.process.max_memory_used_mb();
        self.process.kill().await;
        self.shared.watchdog.forget(self.process.group);
        self.server.abort();
        self.sandbox = None;
        let mut output = Vec::new();
        self.process.output.drain(|chunk| output.extend_from_slice(chunk));
        self.log_output(&output);
        // Before the invocation is told, so that its caller finds the environment gone.
        self.shared.scheduler.environment_ended();

        if let Some(current) = self.current.take() {
            let Current { assignment, mut log, stage } = current;
            let done = self.record_end(end, &assignment, &mut log, stage, max_memory_used_mb);
            let _ = assignment.done.send(done);
        }
        // An assignment may have been sent while this environment ended.
        self.assignments.close();
        while let Ok(assignment) = self.assignments.try_recv() {
            let _ = assignment.done.send(Done::Undelivered);
        }
    }

    /// Decides how the invocation ended and writes the last lines of its log.
    fn record_end(
        &mut self,
        end: End,
        Assignment { invocation, init, .. }: &Assignment,
        log: &mut InvocationLog,
        stage: Stage,
        max_memory_used_mb: Option<u64>,
    ) -> Done {
        let (request_id, init) = (&*invocation.request_id, *init);
        let (duration, answer) = match stage {
            Stage::Waiting { .. } if self.init == Init::Reported => {
                return match end {
                    End::Shutdown => Done::Gone(Outcome {
                        result: Err(Failure::shutdown(request_id)),
                        log_tail: String::new(),
                    }),
                    _ => Done::Undelivered,
                };
            }
            Stage::Waiting { .. } => (self.started_at.elapsed(), None),
            Stage::Running { since, answer, .. } => (since.elapsed(), answer),
        };
        let is_first_try = self.init == Init::Pending && init == InitTry::First;
        let failure = match end {
            End::InitError(failure) => failure,
            End::OutOfMemory => {
                out_of_memory(request_id, "Runtime exited with error: signal: killed")
            }
            End::Exited(reason) if is_allocation_failure(&reason, &log.tail()) => {
                out_of_memory(request_id, &reason)
            }
            End::Exited(reason) => {
                Failure::platform(FailureType::RuntimeExitError, request_id, &reason)
            }
            End::Shutdown | End::Idle => Failure::shutdown(request_id),
            End::TimedOut if is_first_try => return self.begin_again(log, duration, None),
            End::TimedOut => self.record_time_out(request_id, log),
        };
        if let Ok(text) = std::str::from_utf8(&failure.payload)
            && failure.error_type != FailureType::SandboxTimedout.as_str()
        {
            log.end_line();
            log.platform(text);
        }
        if is_first_try && !failure.is_shutdown {
            return self.begin_again(log, duration, Some(&failure));
        }
        let report = Report {
            request_id,
            duration,
            init_duration: self.take_init_duration(),
            memory_mb: self.function.config.memory_mb,
            max_memory_used_mb,
            failure: Some(&failure),
        };
        report::write_end(log, &report);
        let result = answer.unwrap_or(Err(failure));
        Done::Gone(Outcome { result, log_tail: log.tail() })
    }

    /// Writes into the log that the initialisation begins again, and returns that it does.
    fn begin_again(
        &self,
        log: &mut InvocationLog,
        took: Duration,
        failure: Option<&Failure>,
    ) -> Done {
        report::write_init(log, took, self.function.config.timeout, failure);
        Done::InitFailed
    }

    /// Writes into the log that the invocation timed out, and returns this as its failure.
    fn record_time_out(&self, request_id: &str, log: &mut InvocationLog) -> Failure {
        let limit = self.function.config.timeout.as_secs_f64();
        let first = self.shared.options.init_timeout.as_secs_f64();
        let message = if self.init == Init::Pending {
            format!(
                "Task timed out after {limit:.2} seconds: its initialisation did not end, \
                 nor within {first:.2} seconds before"
            )
        } else {
            format!("Task timed out after {limit:.2} seconds")
        };
        log.end_line();
        let now = OffsetDateTime::now_utc().format(TIMESTAMP).unwrap_or_default();
        log.platform(&format!("{now} {request_id} {message}"));
        Failure::platform(FailureType::SandboxTimedout, request_id, &message)
    }

    fn report(
        &mut self,
        log: &mut InvocationLog,
        request_id: &str,
        duration: Duration,
        failure: Option<&Failure>,
    ) {
        let report = Report {
            request_id,
            duration,
            init_duration: self.take_init_duration(),
            memory_mb: self.function.config.memory_mb,
            max_memory_used_mb: self.process.max_memory_used_mb(),
            failure,
        };
        report::write_end(log, &report);
    }

    /// Returns the start time of the environment, once.
    fn take_init_duration(&mut self) -> Option<Duration> {
        match self.init {
            Init::Took(duration) => {
                self.init = Init::Reported;
                Some(duration)
            }
            Init::Pending | Init::Reported => None,
        }
    }
}

fn out_of_memory(request_id: &str, reason: &str) -> Failure {
    Failure::platform(FailureType::RuntimeOutOfMemory, request_id, reason)
}

/// Returns true if a process ended because it was refused memory.
///
/// Here an allocation fails where Lambda kills. The words are those of Rust, C++ and Node.js;
/// Python raises an error of its own.
fn is_allocation_failure(reason: &str, log_tail: &str) -> bool {
    let words = ["memory allocation of ", "std::bad_alloc", "heap out of memory"];
    reason.contains("signal: aborted") && words.iter().any(|words| log_tail.contains(words))
}
