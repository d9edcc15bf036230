//! One attempt at an invocation: its environment, its outcome, and what follows from the outcome.

use std::sync::Arc;

use sidestep_core::failure::FailureType;
use tokio::sync::oneshot;

use super::destination::{self, Condition};
use super::environment;
use super::environment_handle::{Assignment, Done, EnvironmentHandle, InitTry};
use super::function::{Code, Command};
use super::in_process;
use super::invocation::{Failure, Invocation, Job, Outcome};
use super::scheduler::StartType;
use super::shared::Shared;

/// Runs an attempt that has a place, from finding its environment to settling its outcome.
pub(super) async fn run(shared: Arc<Shared>, job: Job) {
    shared.scheduler.settling(true);
    run_and_settle(&shared, job).await;
    shared.scheduler.settling(false);
    shared.dispatch();
}

async fn run_and_settle(shared: &Arc<Shared>, job: Job) {
    let function = job.invocation.function.clone();
    let age = job.invocation.accepted_at.elapsed();
    if job.waiting.is_none() && age > shared.options.max_event_age {
        shared.scheduler.release(&function, None);
        let condition = Condition::EventAgeExceeded;
        let record = destination::record(&job.invocation, condition, job.attempt - 1, None);
        destination::deliver(shared, &job.invocation, record, condition);
        return;
    }
    let name = function.config.name.clone();
    shared.metrics.update(|counts| *counts.invocations.entry(name).or_default() += 1);
    let (outcome, environment) = match &function.config.code {
        Code::InProcess(handler) => {
            (in_process::invoke(shared, handler, &job.invocation).await, None)
        }
        Code::Process(command) => run_in_environment(shared, command, &job.invocation).await,
    };
    if let Err(failure) = &outcome.result {
        shared.metrics.error(&failure.error_type);
    }
    // Before the caller is told, so that its next request finds the place and the environment free.
    shared.scheduler.release(&function, environment);
    settle(shared, job, outcome);
}

/// Runs an attempt in an environment; returns the environment, too, if it is still good.
async fn run_in_environment(
    shared: &Arc<Shared>,
    command: &Command,
    invocation: &Arc<Invocation>,
) -> (Outcome, Option<EnvironmentHandle>) {
    let mut init = InitTry::First;
    loop {
        let (done, ended) = oneshot::channel();
        let assignment = Assignment { invocation: invocation.clone(), init, done };
        let environment = match shared.scheduler.find_environment(&invocation.function) {
            StartType::Warm(environment) => {
                if environment.assign(assignment).await.is_err() {
                    continue;
                }
                shared.metrics.update(|counts| counts.warm_starts += 1);
                environment
            }
            StartType::Cold(id) => environment::start(shared, command, id, assignment).await,
        };
        match ended.await {
            Ok(Done::Alive(outcome)) => return (outcome, Some(environment)),
            Ok(Done::Gone(outcome)) => return (outcome, None),
            Ok(Done::InitFailed) => init = InitTry::Second,
            // A new environment always takes its event, so this ends when the idle ones are used
            // up.
            Ok(Done::Undelivered) => {}
            Err(_) => {
                let message = "The environment ended unexpectedly";
                let failure =
                    Failure::platform(FailureType::SandboxFailure, &invocation.request_id, message);
                return (Outcome { result: Err(failure), log_tail: String::new() }, None);
            }
        }
    }
}

/// Answers the caller that waits, or decides what follows an asynchronous attempt.
fn settle(shared: &Arc<Shared>, job: Job, outcome: Outcome) {
    if let Some(waiting) = job.waiting {
        // The caller may have left.
        let _ = waiting.send(outcome);
        return;
    }
    let Job { invocation, attempt, .. } = job;
    let condition = match &outcome.result {
        Ok(_) => Condition::Success,
        Err(failure) if failure.is_shutdown => return,
        Err(_) if attempt <= invocation.function.config.max_retry_attempts => {
            let job = Job { invocation, attempt: attempt + 1, waiting: None };
            tokio::spawn(retry(shared.clone(), job, outcome));
            return;
        }
        Err(_) => Condition::RetriesExhausted,
    };
    let record = destination::record(&invocation, condition, attempt, Some(&outcome.result));
    destination::deliver(shared, &invocation, record, condition);
}

/// Queues the next attempt after its delay. An event that would then be too old fails now.
async fn retry(shared: Arc<Shared>, job: Job, last: Outcome) {
    let delay = shared.options.retry_delays[usize::from(job.attempt > 2)];
    let invocation = job.invocation.clone();
    let attempts = job.attempt - 1;
    let is_too_old = invocation.accepted_at.elapsed() + delay > shared.options.max_event_age;
    if !is_too_old {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = shared.kill.cancelled() => return,
        }
        if shared.scheduler.enqueue(job).is_ok() {
            shared.dispatch();
            return;
        }
    }
    let condition =
        if is_too_old { Condition::EventAgeExceeded } else { Condition::RetriesExhausted };
    let record = destination::record(&invocation, condition, attempts, Some(&last.result));
    destination::deliver(&shared, &invocation, record, condition);
}
