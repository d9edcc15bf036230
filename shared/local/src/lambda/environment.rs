//! An execution environment: one process, its Runtime API, and the one invocation it works on.
//!
//! A task owns all of it and is the only one to change its state, so a request of the runtime, a time-out and
//! the death of the process can not interleave:
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

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{
    answer,
    function::Command,
    host::Shared,
    invocation::{Failure, Function, Invocation, Outcome},
    log::{InvocationLog, TIMESTAMP},
    process::{self, Process},
    report::{self, Report},
    runtime_api::{self, RuntimeCall, RuntimeReply, RuntimeRequest},
};

/// The scheduler's end of an environment. Dropping it ends the environment once it is idle.
#[derive(Debug)]
pub(super) struct EnvironmentHandle {
    pub(super) id: u64,
    pub(super) idle_since: Instant,
    assignments: mpsc::Sender<Assignment>,
}

impl EnvironmentHandle {
    /// Hands an invocation over. Fails, having done nothing, if the environment is gone.
    pub(super) async fn assign(&self, assignment: Assignment) -> Result<(), Assignment> {
        self.assignments.send(assignment).await.map_err(|refused| refused.0)
    }
}

/// An invocation for an environment, and where to say what became of it.
#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) invocation: Arc<Invocation>,
    pub(super) done: oneshot::Sender<Done>,
}

/// What became of an assignment.
#[derive(Debug)]
pub(super) enum Done {
    /// The environment is idle again.
    Alive(Outcome),
    /// The environment is gone.
    Gone(Outcome),
    /// A warm environment ended before it took the event: nothing ran, so another may take it.
    Undelivered,
}

/// Starts an environment for an invocation. A failure to start is told to the invocation.
pub(super) async fn start(
    shared: &Arc<Shared>,
    command: &Command,
    id: u64,
    first: Assignment,
) -> EnvironmentHandle {
    let (assignments, receiver) = mpsc::channel(1);
    let handle = EnvironmentHandle { id, idle_since: Instant::now(), assignments };
    let function = first.invocation.function.clone();
    let mut log = shared.logs.open(&first.invocation);
    match prepare(shared, &function, command).await {
        Ok((process, calls, server)) => {
            let until = Instant::now() + shared.options.init_timeout;
            let current = Current { assignment: first, log, stage: Stage::Waiting { until } };
            let environment = Environment {
                shared: shared.clone(),
                function,
                id,
                process,
                started_at: Instant::now(),
                init: Init::Pending,
                calls,
                assignments: receiver,
                server,
                parked: None,
                current: Some(current),
                last_log: None,
            };
            tokio::spawn(environment.run());
        }
        Err(error) => {
            shared.scheduler.environment_ended();
            let request_id = &first.invocation.request_id;
            let message = format!("could not start `{}`: {error}", command.program.display());
            let failure = Failure::platform("Runtime.InvalidEntrypoint", request_id, &message);
            log.platform(&String::from_utf8_lossy(&failure.payload));
            let outcome = Outcome { result: Err(failure), log_tail: log.tail() };
            // Nobody waits when the caller has left.
            let _ = first.done.send(Done::Gone(outcome));
        }
    }
    handle
}

async fn prepare(
    shared: &Shared,
    function: &Function,
    command: &Command,
) -> io::Result<(Process, mpsc::Receiver<RuntimeCall>, JoinHandle<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?.to_string();
    let options = &shared.options;
    let environment =
        process::environment(function, command, &options.region, &address, &options.environment);
    let process = Process::spawn(command, &environment, function.config.memory_mb)?;
    shared.watchdog.watch(process.group);
    shared.metrics.update(|counts| counts.environments_started += 1);
    let (sender, calls) = mpsc::channel(8);
    let server = runtime_api::serve(listener, sender);
    Ok((process, calls, server))
}

#[derive(Debug)]
struct Environment {
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

impl Environment {
    async fn run(mut self) {
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

        if let Some(current) = self.current.take() {
            let Current { assignment, mut log, stage } = current;
            let done =
                self.last_words(end, &assignment.invocation, &mut log, stage, max_memory_used_mb);
            let _ = assignment.done.send(done);
        }
        self.shared.scheduler.environment_ended();
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
                let now = time::OffsetDateTime::now_utc().format(TIMESTAMP).unwrap_or_default();
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
