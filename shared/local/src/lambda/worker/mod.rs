//! The task behind an environment.
//!
//! It owns the process and is the only task that changes its state, so a request of the runtime, a
//! time-out and the death of the process cannot interleave:
//!
//! ```text
//! spawn -> Waiting --next--> Running --response/error--> Running(answered) --next--> idle
//!             ^ |               |                              |                       |
//!             | +---------------+------------------------------+                       |
//!             |                 | init error, exit, time-out, shutdown                 |
//!             |                 +--> kill the group, tell the invocation --> gone      |
//!             +------------------------------- assign --------------------------------+
//! ```
//!
//! As on Lambda an invocation is over when the runtime asks for the next one, not when it responds.
//! Until then the environment is not ready, and what a handler does after its response counts as
//! its time. An answer that was posted stands even if the process dies or times out before it asks
//! again.

mod end;
mod runtime;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::access::Access;
use super::answer;
use super::environment_handle::{Assignment, InitTry};
use super::invocation::{Failure, Function};
use super::invocation_log::InvocationLog;
use super::limits::MEMORY_CHECK_INTERVAL;
use super::process::{self, Process};
use super::report;
use super::runtime_api::{RuntimeCall, RuntimeReply};
use super::sandbox::Sandbox;
use super::shared::Shared;

/// A process that has been spawned, and the Runtime API that it was told to use.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) at: Instant,
    pub(super) calls: mpsc::Receiver<RuntimeCall>,
    pub(super) server: JoinHandle<()>,
    /// Counts among the processes that initialise; absent if the process waits for no core.
    pub(super) permit: Option<OwnedSemaphorePermit>,
    pub(super) access: Access,
    pub(super) sandbox: Sandbox,
}

/// The owner of an environment's process.
#[derive(Debug)]
pub(super) struct Worker {
    shared: Arc<Shared>,
    function: Arc<Function>,
    id: u64,
    process: Process,
    started_at: Instant,
    init: Init,
    /// How long the process has waited for a core while it initialised, as far as that was
    /// added to its time.
    waited: Duration,
    /// Given back when the initialisation ends.
    permit: Option<OwnedSemaphorePermit>,
    calls: mpsc::Receiver<RuntimeCall>,
    assignments: mpsc::Receiver<Assignment>,
    server: JoinHandle<()>,
    access: Access,
    sandbox: Option<Sandbox>,
    /// A `next` that waits for an event.
    parked: Option<oneshot::Sender<RuntimeReply>>,
    current: Option<Current>,
    /// When the memory of the process is measured next.
    next_memory_check: Instant,
    /// The log that takes what the process prints while it is idle.
    last_log: Option<InvocationLog>,
}

/// How long the process took to its first `next`, which is reported once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Init {
    Pending,
    Took(Duration),
    Reported,
}

/// The invocation that the environment works on.
#[derive(Debug)]
struct Current {
    assignment: Assignment,
    log: InvocationLog,
    stage: Stage,
}

/// How far the invocation is.
#[derive(Debug)]
enum Stage {
    /// The event waits for the runtime's `next`.
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
    OutOfMemory,
    Exited(String),
    InitError(Failure),
}

/// What the worker wakes up for.
enum Wake {
    Shutdown,
    Deadline,
    MemoryCheck,
    Call(RuntimeCall),
    Assignment(Option<Assignment>),
    Exited(String),
    Output(Vec<u8>),
}

impl Worker {
    /// Takes over a process that has been spawned for its first invocation.
    pub(super) fn new(
        shared: Arc<Shared>,
        id: u64,
        started: Started,
        assignments: mpsc::Receiver<Assignment>,
        first: Assignment,
        log: InvocationLog,
    ) -> Self {
        let Started { process, at: started_at, calls, server, permit, access, sandbox } = started;
        let limit = match first.init {
            InitTry::First => shared.options.init_timeout,
            InitTry::Second => first.invocation.function.config.timeout,
        };
        let stage = Stage::Waiting { until: started_at + limit };
        Self {
            function: first.invocation.function.clone(),
            current: Some(Current { assignment: first, log, stage }),
            shared,
            id,
            process,
            started_at,
            next_memory_check: started_at + MEMORY_CHECK_INTERVAL,
            init: Init::Pending,
            permit,
            waited: Duration::ZERO,
            calls,
            assignments,
            server,
            access,
            sandbox: Some(sandbox),
            parked: None,
            last_log: None,
        }
    }

    /// Drives the process until it ends.
    pub(super) async fn run(mut self) {
        let end = loop {
            if let Some(end) = self.step().await {
                break end;
            }
        };
        self.finish(end).await;
    }

    /// Waits for the next thing to happen and reacts to it. Returns why the environment ends, if it
    /// does.
    async fn step(&mut self) -> Option<End> {
        let deadline = self.deadline();
        let wake = tokio::select! {
            // In this order: output, which may never stop, must not starve the deadline.
            biased;
            () = self.shared.kill.cancelled() => Wake::Shutdown,
            () = sleep_until(deadline) => Wake::Deadline,
            () = sleep_until(self.next_memory_check), if self.current.is_some() => Wake::MemoryCheck,
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
            Wake::MemoryCheck => {
                self.next_memory_check = Instant::now() + MEMORY_CHECK_INTERVAL;
                let used = self.process.private_memory_mb();
                let limit = u64::from(self.function.config.memory_mb);
                used.is_some_and(|used| used > limit).then_some(End::OutOfMemory)
            }
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

    /// Returns when the current stage has lasted too long.
    fn deadline(&self) -> Instant {
        match &self.current {
            Some(Current {
                stage: Stage::Waiting { until } | Stage::Running { until, .. },
                ..
            }) => *until,
            None => Instant::now() + self.shared.options.idle_timeout,
        }
    }

    /// Reacts to the deadline.
    fn expire(&mut self) -> Option<End> {
        if let Some(current) = &mut self.current {
            if self.init == Init::Pending
                && let Stage::Waiting { until } = &mut current.stage
                && let Some(more) = waits::waited_for_core(&self.process, &mut self.waited)
            {
                *until = Instant::now() + more;
                return None;
            }
            return Some(End::TimedOut);
        }
        // If the scheduler has just taken the environment, an assignment is on its way.
        self.shared.scheduler.retire(&self.function.config.name, self.id).then_some(End::Idle)
    }

    /// Takes an invocation.
    fn assign(&mut self, assignment: Assignment) {
        if let Some(log) = &mut self.last_log {
            self.process.output.drain(|output| log.output(output));
        }
        let log = InvocationLog::open(&self.shared.logs, &assignment.invocation);
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
        // The second try at an initialisation counts as the function's own time.
        let timeout = match (current.assignment.init, &current.stage) {
            (InitTry::Second, Stage::Waiting { until }) => *until - Instant::now(),
            _ => self.function.config.timeout,
        };
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
        self.access.begin(current.log.key().as_str(), &invocation.payload);
        let since = Instant::now();
        current.stage = Stage::Running { since, until: since + timeout, answer: None };
        // The event is lost only if the runtime hangs up at this very moment, and then the timeout
        // ends it.
        let _ = parked.send(event);
    }

    /// Adds output to the log of the current invocation, or of the last one.
    fn log_output(&mut self, output: &[u8]) {
        let current = self.current.as_mut().map(|current| &mut current.log);
        if let Some(log) = current.or(self.last_log.as_mut()) {
            log.output(output);
        }
    }
}
