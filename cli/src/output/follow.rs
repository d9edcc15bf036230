//! An execution followed to its end: shown while it goes on, then what it came to.

use std::time::Duration;

use sidestep_core::definition::Pipeline;
use sidestep_core::execution::commit::Revision;
use sidestep_core::name::ExecutionId;
use sidestep_engine::sweep::Leases;
use tokio::signal::unix::{SignalKind, signal};

use super::progress::View;
use super::{cost, explanations, table};
use crate::meter::Meter;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::session::Session;

/// How often executions are looked after that may have lost a message.
pub(crate) const SWEEP: Duration = Duration::from_mins(1);

/// How often another process's execution is looked at.
const POLL: Duration = Duration::from_millis(200);

/// How an execution is followed.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) json: bool,
    /// Commits up to this one are old.
    pub(crate) after: Revision,
    /// Counts what it asks of the services.
    pub(crate) meter: Option<Meter>,
}

/// Shows how an execution goes, waits for its end, and prints what it came to.
pub(crate) async fn end_of(
    session: &Session,
    id: &ExecutionId,
    pipeline: &Pipeline,
    shown: Shown,
) -> Result<ExitStatus, CommandError> {
    // Before a line is shown: whoever sees one may interrupt.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut view = View::new(pipeline, session, !shown.json);
    view.started(id);
    let watched = watch(session, id, &mut view, shown.after);
    tokio::select! {
        watched = watched => watched?,
        error = session.planner_failed() => {
            view.finish();
            eprintln!("interrupted: the same command goes on where execution {id} stopped");
            return Err(error);
        }
        _ = interrupted.recv() => {
            if session.cloud.is_some() {
                eprintln!("interrupted: the same command goes on where execution {id} stopped");
            } else {
                eprintln!("execution {id} goes on without this command");
            }
            return Ok(ExitStatus::Interrupted);
        }
    }
    view.finish();
    let description = explanations::describe(&session.engine, id).await?;
    let cost = match session.cloud.as_ref().zip(shown.meter) {
        Some((cloud, meter)) => Some(meter.read(cloud, &description).await),
        None => None,
    };
    match (shown.json, cost) {
        (true, Some(cost)) => {
            println!("{}", serde_json::to_string_pretty(&cost::with(&description, &cost)?)?);
        }
        (true, None) => println!("{}", serde_json::to_string_pretty(&description)?),
        (false, cost) => {
            print!("{}", table::execution(&description));
            print!("{}", cost.as_ref().map_or_else(String::new, cost::text));
        }
    }
    let succeeded = description.pipeline_execution_status == "Succeeded";
    Ok(if succeeded { ExitStatus::Succeeded } else { ExitStatus::Failed })
}

/// Shows commits as they come, until the execution is over.
async fn watch(
    session: &Session,
    id: &ExecutionId,
    view: &mut View,
    mut shown: Revision,
) -> Result<(), CommandError> {
    let mut changes = session.engine.changes();
    let mut sweep = tokio::time::interval_at(tokio::time::Instant::now() + SWEEP, SWEEP);
    loop {
        changes.mark_unchanged();
        for commit in session.engine.next_commits(id, shown).await? {
            shown = commit.revision;
            view.commit(id, &commit);
            if commit.end.is_some() {
                return Ok(());
            }
        }
        tokio::select! {
            result = changes.changed() => result?,
            () = tokio::time::sleep(POLL) => {}
            () = view.progress() => {}
            // Elsewhere somebody else does.
            _ = sweep.tick(), if session.cloud.is_some() => {
                session.engine.resume(id, Leases::ByTime).await?;
            }
        }
    }
}
