//! An execution environment: one process, its Runtime API, and the [`Worker`] that drives them.
//!
//! This is the side that attempts and the scheduler see: a handle to give invocations to, and what comes back.

use std::{io, net::Ipv4Addr, sync::Arc};

use sidestep_core::failure::FailureType;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::{
    dispatch::Shared,
    function::Command,
    invocation::{Failure, Function, Invocation, Outcome},
    process::{self, Process},
    runtime_api::{self, RuntimeCall},
    worker::Worker,
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

/// A process that has been spawned, and the Runtime API it was told to use.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) at: Instant,
    pub(super) calls: mpsc::Receiver<RuntimeCall>,
    pub(super) server: JoinHandle<()>,
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
        Ok(started) => {
            tokio::spawn(Worker::new(shared.clone(), id, started, receiver, first, log).run());
        }
        Err(error) => {
            shared.scheduler.environment_ended();
            let request_id = &first.invocation.request_id;
            let message = format!("could not start `{}`: {error}", command.program.display());
            let failure =
                Failure::platform(FailureType::RuntimeInvalidEntrypoint, request_id, &message);
            log.platform(&String::from_utf8_lossy(&failure.payload));
            let outcome = Outcome { result: Err(failure), log_tail: log.tail() };
            // Nobody waits when the caller has left.
            let _ = first.done.send(Done::Gone(outcome));
        }
    }
    handle
}

async fn prepare(shared: &Shared, function: &Function, command: &Command) -> io::Result<Started> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?.to_string();
    let options = &shared.options;
    let environment =
        process::environment(function, command, &options.region, &address, &options.environment);
    let at = Instant::now();
    let process = Process::spawn(command, &environment, function.config.memory_mb)?;
    shared.watchdog.watch(process.group);
    shared.metrics.update(|counts| counts.environments_started += 1);
    let (sender, calls) = mpsc::channel(8);
    let server = runtime_api::serve(listener, sender);
    Ok(Started { process, at, calls, server })
}
