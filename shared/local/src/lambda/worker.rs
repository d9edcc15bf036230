//! The task behind an environment.
//!
//! It owns the process and is the only one to change its state, so a request of the runtime, a time-out and the
//! death of the process can not interleave:
//!
//! ```text
//! spawn -> Waiting --next--> Running --response/error--> Running(answered) --next--> idle --assign--> Waiting
//!             |                 |                              |
//!             +--- init error, exit, time-out, shutdown: kill the group, tell the invocation ---> gone
//! ```
//!
//! As on Lambda an invocation is over when the runtime asks for the next one, not when it responds: only then is
//! the environment ready, and what a handler does after its response counts as its time. An answer that was
//! posted stands even if the process dies or times out before it asks again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use time::OffsetDateTime;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{
    answer,
    dispatch::Shared,
    environment::{Assignment, Done, Started},
    invocation::{Failure, Function, Invocation, Outcome},
    log::{InvocationLog, TIMESTAMP},
    process::{self, Process},
    report::{self, Report},
    runtime_api::{RuntimeCall, RuntimeReply, RuntimeRequest},
};

#[derive(Debug)]
pub(super) struct Worker {
    shared: Arc<Shared>,
    function: Arc<Function>,
    id: u64,
    process: Process,
    started_at: Instant,
    init: Init,
    calls: mpsc::Receiver<RuntimeCall>,
    assignments: mpsc::Receiver<Assignment>,
    server: JoinHandle<()>,
    /// A `next` that waits for an event.
    parked: Option<oneshot::Sender<RuntimeReply>>,
    current: Option<Current>,
    /// Takes what the process prints while it is idle.
    last_log: Option<InvocationLog>,
}

/// How long the process took to its first `next`; reported once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Init {
    Pending,
    Took(Duration),
    Reported,
}

#[derive(Debug)]
struct Current {
    assignment: Assignment,
    log: InvocationLog,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// For the runtime's `next`.
    Waiting { until: Instant },
    /// The runtime has the event.
    Running { since: Instant, until: Instant, answer: Option<Result<Bytes, Failure>> },
}

/// Why an environment ends.
#[derive(Debug)]
enum End {
    Idle,
    Shutdown,
    TimedOut,
    Exited(String),
    InitError(Failure),
}

enum Wake {
    Shutdown,
    Deadline,
    Call(RuntimeCall),
    Assignment(Option<Assignment>),
    Exited(String),
    Output(Vec<u8>),
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        id: u64,
        started: Started,
        assignments: mpsc::Receiver<Assignment>,
        first: Assignment,
        log: InvocationLog,
    ) -> Self {
        let Started { process, at: started_at, calls, server } = started;
        let stage = Stage::Waiting { until: started_at + shared.options.init_timeout };
        Self {
            function: first.invocation.function.clone(),
            current: Some(Current { assignment: first, log, stage }),
            shared,
            id,
            process,
            started_at,
            init: Init::Pending,
            calls,
            assignments,
            server,
            parked: None,
            last_log: None,
        }
    }

    pub(super) async fn run(mut self) {
        let end = loop {
            if let Some(end) = self.step().await {
                break end;
            }
        };
        self.finish(end).await;
    }

    async fn step(&mut self) -> Option<End> {
        let deadline = self.deadline();
        let wake = tokio::select! {
            // In this order: output, which may never stop, must not starve the deadline.
            biased;
            () = self.shared.kill.cancelled() => Wake::Shutdown,
            () = sleep_until(deadline) => Wake::Deadline,
            Some(call) = self.calls.recv() => Wake::Call(call),
            assignment = self.assignments.recv(), if self.current.is_none() => Wake::Assignment(assignment),
            status = self.process.child.wait() => Wake::Exited(match status {
                Ok(status) => process::describe_exit(status),
                Err(error) => format!("Runtime exited with error: {error}"),
            }),
            output = self.process.output.read() => Wake::Output(output),
        };
        match wake {
            Wake::Shutdown => Some(End::Shutdown),
            Wake::Deadline => self.expire(),
            Wake::Call(call) => self.answer(call),
            Wake::Assignment(Some(assignment)) => {
                self.assign(assignment);
                None
            }
            Wake::Assignment(None) => Some(End::Idle),
            Wake::Exited(reason) => Some(End::Exited(reason)),
            Wake::Output(output) => {
                self.log_output(&output);
                None
            }
        }
    }

    fn deadline(&self) -> Instant {
        match &self.current {
            Some(Current {
                stage: Stage::Waiting { until } | Stage::Running { until, .. },
                ..
            }) => *until,
            None => Instant::now() + self.shared.options.idle_timeout,
        }
    }

    fn expire(&mut self) -> Option<End> {
        if self.current.is_some() {
            return Some(End::TimedOut);
        }
        // If the scheduler has just taken the environment, an assignment is on its way.
        self.shared.scheduler.retire(&self.function.config.name, self.id).then_some(End::Idle)
    }

    fn assign(&mut self, assignment: Assignment) {
        if let Some(log) = &mut self.last_log {
            self.process.output.drain(|output| log.output(output));
        }
        let log = self.shared.logs.open(&assignment.invocation);
        let until = Instant::now() + self.shared.options.init_timeout;
        self.last_log = None;
        self.current = Some(Current { assignment, log, stage: Stage::Waiting { until } });
        self.deliver();
    }

    /// Hands the waiting event to a parked `next`, if there are both.
    fn deliver(&mut self) {
        let Some(current) = &mut self.current else { return };
        let Some(parked) = self.parked.take_if(|_| matches!(current.stage, Stage::Waiting { .. }))
        else {
            return;
        };
        let invocation = &current.assignment.invocation;
        let timeout = self.function.config.timeout;
        let event = RuntimeReply::Event {
            headers: answer::event_headers(invocation, timeout),
            payload: invocation.payload.clone(),
        };
        if parked.is_closed() {
            // The runtime hung up; it will ask again or be dead.
            return;
        }
        // What was printed before the event belongs above its START.
        self.process.output.drain(|output| current.log.output(output));
        report::write_start(&mut current.log, &invocation.request_id);
        let since = Instant::now();
        current.stage = Stage::Running { since, until: since + timeout, answer: None };
        // Lost only if the runtime hangs up at this very moment, and then the timeout ends it.
        let _ = parked.send(event);
    }

    /// Answers a request of the runtime; a wrong one changes nothing.
    fn answer(&mut self, call: RuntimeCall) -> Option<End> {
        let RuntimeCall { request, reply } = call;
        let mut end = None;
        let verdict = match request {
            RuntimeRequest::Next => {
                self.next(reply);
                return None;
            }
            RuntimeRequest::Response { request_id, body } => {
                self.respond(&request_id, || answer::response(&request_id, body))
            }
            RuntimeRequest::Error { request_id, error_type, body } => self
                .respond(&request_id, || {
                    (Err(answer::error(error_type, body)), RuntimeReply::Accepted)
                }),
            RuntimeRequest::InitError { error_type, body } if self.init == Init::Pending => {
                end = Some(End::InitError(answer::error(error_type, body)));
                RuntimeReply::Accepted
            }
            RuntimeRequest::InitError { .. } => RuntimeReply::InvalidStateTransition,
        };
        // A runtime that hung up does not care.
        let _ = reply.send(verdict);
        end
    }

    fn next(&mut self, reply: oneshot::Sender<RuntimeReply>) {
        let is_busy = matches!(
            &self.current,
            Some(Current { stage: Stage::Running { answer: None, .. }, .. })
        );
        if is_busy || self.parked.as_ref().is_some_and(|parked| !parked.is_closed()) {
            let _ = reply.send(RuntimeReply::InvalidStateTransition);
            return;
        }
        if self.init == Init::Pending {
            let took = self.started_at.elapsed();
            self.init = Init::Took(took);
            self.shared.metrics.init(took);
        }
        self.parked = Some(reply);
        if let Some(Current { stage: Stage::Running { .. }, .. }) = &self.current {
            self.complete();
        }
        self.deliver();
    }

    /// Records the answer of the running invocation, if `request_id` names it and it has none.
    fn respond(
        &mut self,
        request_id: &str,
        judge: impl FnOnce() -> (Result<Bytes, Failure>, RuntimeReply),
    ) -> RuntimeReply {
        match &mut self.current {
            Some(Current { assignment, stage: Stage::Running { answer, .. }, .. })
                if *assignment.invocation.request_id == *request_id =>
            {
                if answer.is_some() {
                    return RuntimeReply::InvalidStateTransition;
                }
                let (result, verdict) = judge();
                *answer = Some(result);
                verdict
            }
            _ => RuntimeReply::InvalidRequestId,
        }
    }

    /// Ends an answered invocation and keeps the environment.
    fn complete(&mut self) {
        let Some(current) = self.current.take() else { return };
        let Current { assignment, mut log, stage } = current;
        let Stage::Running { since, answer: Some(result), .. } = stage else { return };
        self.process.output.drain(|output| log.output(output));
        self.report(&mut log, &assignment.invocation.request_id, since.elapsed(), None);
        let outcome = Outcome { result, log_tail: log.tail() };
        self.last_log = Some(log);
        let _ = assignment.done.send(Done::Alive(outcome));
    }

    /// Kills what is left and tells the invocation, if there is one, how it ended.
    async fn finish(mut self, end: End) {
        self.shared.scheduler.retire(&self.function.config.name, self.id);
        let max_memory_used_mb = self.process.max_memory_used_mb();
        self.process.kill().await;
        self.shared.watchdog.forget(self.process.group);
        self.server.abort();
        let mut output = Vec::new();
        self.process.output.drain(|chunk| output.extend_from_slice(chunk));
        self.log_output(&output);
        // Before anybody is told, so that who is told finds the environment gone.
        self.shared.scheduler.environment_ended();

        if let Some(current) = self.current.take() {
            let Current { assignment, mut log, stage } = current;
            let done =
                self.last_words(end, &assignment.invocation, &mut log, stage, max_memory_used_mb);
            let _ = assignment.done.send(done);
        }
        // One that was sent while this environment ended.
        self.assignments.close();
        while let Ok(assignment) = self.assignments.try_recv() {
            let _ = assignment.done.send(Done::Undelivered);
        }
    }

    fn last_words(
        &mut self,
        end: End,
        invocation: &Invocation,
        log: &mut InvocationLog,
        stage: Stage,
        max_memory_used_mb: Option<u64>,
    ) -> Done {
        let request_id = &*invocation.request_id;
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
        let failure = match end {
            End::InitError(failure) => failure,
            End::Exited(reason) => Failure::platform("Runtime.ExitError", request_id, &reason),
            End::Shutdown | End::Idle => Failure::shutdown(request_id),
            End::TimedOut => {
                let limit = match self.init {
                    Init::Pending => self.shared.options.init_timeout,
                    _ => self.function.config.timeout,
                };
                let what = if self.init == Init::Pending { "Init" } else { "Task" };
                let message = format!("{what} timed out after {:.2} seconds", limit.as_secs_f64());
                log.end_line();
                let now = OffsetDateTime::now_utc().format(TIMESTAMP).unwrap_or_default();
                log.platform(&format!("{now} {request_id} {message}"));
                Failure::platform("Sandbox.Timedout", request_id, &message)
            }
        };
        if let Ok(text) = std::str::from_utf8(&failure.payload)
            && failure.error_type != "Sandbox.Timedout"
        {
            log.end_line();
            log.platform(text);
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

    fn take_init_duration(&mut self) -> Option<Duration> {
        match self.init {
            Init::Took(duration) => {
                self.init = Init::Reported;
                Some(duration)
            }
            Init::Pending | Init::Reported => None,
        }
    }

    fn log_output(&mut self, output: &[u8]) {
        let current = self.current.as_mut().map(|current| &mut current.log);
        if let Some(log) = current.or(self.last_log.as_mut()) {
            log.output(output);
        }
    }
}
