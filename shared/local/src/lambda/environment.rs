//! Starts execution environments: a process, its Runtime API, and the [`Worker`] that drives them.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use sidestep_core::failure::FailureType;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::access::Access;
use super::environment_handle::{Assignment, Done, EnvironmentHandle, InitTry};
use super::function::Command;
use super::invocation::{Failure, Function, Outcome};
use super::invocation_log::InvocationLog;
use super::process::{self, Process};
use super::runtime_api;
use super::shared::Shared;
use super::worker::{Started, Worker};

/// Starts an environment for an invocation. A failure to start becomes the invocation's outcome.
pub(super) async fn start(
    shared: &Arc<Shared>,
    command: &Command,
    id: u64,
    first: Assignment,
) -> EnvironmentHandle {
    let (handle, assignments) = EnvironmentHandle::new(id);
    let function = first.invocation.function.clone();
    let mut log = InvocationLog::open(&shared.logs, &first.invocation);
    let permit = permit(shared, first.init).await;
    match spawn(shared, &function, command, id).await {
        Ok(started) => {
            let started = Started { permit, ..started };
            let worker = Worker::new(shared.clone(), id, started, assignments, first, log);
            tokio::spawn(worker.run());
        }
        Err(error) => {
            shared.scheduler.environment_ended();
            let request_id = &first.invocation.request_id;
            let message = format!("could not start `{}`: {error}", command.program.display());
            let failure =
                Failure::platform(FailureType::RuntimeInvalidEntrypoint, request_id, &message);
            log.platform(&String::from_utf8_lossy(&failure.payload));
            let outcome = Outcome { result: Err(failure), log_tail: log.tail() };
            // The receiver is gone when the caller has left.
            let _ = first.done.send(Done::Gone(outcome));
        }
    }
    handle
}

/// Waits until a core is free for another initialisation.
///
/// The second try waits for none: a process that hangs must not keep others from starting for as
/// long as its function's timeout.
async fn permit(shared: &Shared, init: InitTry) -> Option<OwnedSemaphorePermit> {
    match init {
        InitTry::First => shared.starts.clone().acquire_owned().await.ok(),
        InitTry::Second => None,
    }
}

/// Spawns the process with a Runtime API of its own.
async fn spawn(
    shared: &Arc<Shared>,
    function: &Function,
    command: &Command,
    id: u64,
) -> io::Result<Started> {
    let (sandboxes, outside) = (shared.clone(), command.clone());
    let opened = spawn_blocking(move || sandboxes.sandboxes.open(id, &outside)).await;
    let (sandbox, command) = opened.map_err(io::Error::other)??;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?.to_string();
    let options = &shared.options;
    let name = function.config.name.as_str();
    let access = Access::open(options.tracer.as_ref(), name, &command, &options.environment);
    let mut given = options.environment.clone();
    given.extend(access.variables());
    let environment = process::environment(function, &command, &options.region, &address, &given);
    let at = Instant::now();
    let process = Process::spawn(&command, &environment, function.config.memory_mb)?;
    shared.watchdog.watch(process.group);
    access.started(process.group);
    shared.metrics.update(|counts| counts.environments_started += 1);
    let (sender, calls) = mpsc::channel(8);
    let server = runtime_api::serve(listener, sender);
    Ok(Started { process, at, calls, server, permit: None, access, sandbox })
}
