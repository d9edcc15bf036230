//! Follows an execution to its end: shows its progress, then its result.

use std::time::Duration;

use sidestep_core::definition::Pipeline;
use sidestep_core::execution::commit::Revision;
use sidestep_core::name::ExecutionId;
use sidestep_engine::sweep::Leases;
use tokio::signal::unix::Signal;

use super::progress::Progress;
use super::screen::{Screen, is_one_stream};
use super::{cost, explanations, table};
use crate::meter::Meter;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::session::Session;

/// How often executions are checked for lost messages.
pub(crate) const SWEEP: Duration = Duration::from_mins(1);

/// How often an execution in another process is polled.
const POLL: Duration = Duration::from_millis(200);

/// How following an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    Ended(ExitStatus),
    /// The process that this one has joined ended before the execution.
    OwnerEnded,
}

impl Followed {
    /// Returns the status where no other process can end.
    pub(crate) fn status(self) -> ExitStatus {
        match self {
            Self::Ended(status) => status,
            Self::OwnerEnded => ExitStatus::ServiceError,
        }
    }
}

/// How to follow an execution.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) json: bool,
    /// True if no line is cut to the width of the terminal.
    pub(crate) wide: bool,
    /// Only commits after this one are shown; kept up as they come.
    pub(crate) after: &'a mut Revision,
    /// Received before the first line is shown, because its reader may interrupt at once.
    pub(crate) interrupted: &'a mut Signal,
    /// Counts the execution's requests to the services.
    pub(crate) meter: Option<Meter>,
}

/// Shows an execution's progress, waits for its end, and prints its result.
pub(crate) async fn end_of(
    session: &Session,
    id: &ExecutionId,
    pipeline: &Pipeline,
    shown: Shown<'_>,
) -> Result<Followed, CommandError> {
    let screen = (!shown.json).then(|| Screen::of_stderr(shown.wide));
    let mut progress = Progress::new(pipeline, session, screen);
    if *shown.after == 0 {
        progress.started(id);
    }
    let watched = watch(session, id, &mut progress, shown.after);
    tokio::select! {
        watched = watched => watched?,
        () = session.owner_gone() => {
            progress.finish();
            return Ok(Followed::OwnerEnded);
        }
        error = session.planner_failed() => {
            progress.finish();
            eprintln!("interrupted: run the same command again to continue execution {id}");
            return Err(error);
        }
        _ = shown.interrupted.recv() => {
            if session.cloud.is_some() {
                eprintln!("interrupted: run the same command again to continue execution {id}");
            } else if session.ticket.is_some() {
                eprintln!("execution {id} continues while the other command runs: run the same command again to follow it");
            } else {
                eprintln!("execution {id} continues without this command");
            }
            return Ok(Followed::Ended(ExitStatus::Interrupted));
        }
    }
    progress.finish();
    let description = explanations::describe(session, id).await?;
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
            let screen = Screen::of_stdout(shown.wide);
            // The reader of both streams need not read the same twice.
            if !(is_one_stream() && progress.has_shown(&description)) {
                print!("{}", table::steps(&description, screen));
            }
            print!("{}", table::result(&description, screen));
            print!("{}", cost.as_ref().map_or_else(String::new, cost::text));
        }
    }
    let succeeded = description.pipeline_execution_status == "Succeeded";
    Ok(Followed::Ended(if succeeded { ExitStatus::Succeeded } else { ExitStatus::Failed }))
}

/// Shows commits as they come, until the execution has ended.
async fn watch(
    session: &Session,
    id: &ExecutionId,
    progress: &mut Progress,
    shown: &mut Revision,
) -> Result<(), CommandError> {
    let mut changes = session.engine.changes();
    let mut sweep = tokio::time::interval_at(tokio::time::Instant::now() + SWEEP, SWEEP);
    // The process that this one had joined may have ended after the last commit was shown.
    let mut may_have_ended = *shown > 0;
    loop {
        changes.mark_unchanged();
        let commits = session.engine.next_commits(id, *shown).await?;
        if commits.is_empty()
            && std::mem::take(&mut may_have_ended)
            && session.engine.has_ended(id).await?
        {
            return Ok(());
        }
        for commit in commits {
            *shown = commit.revision;
            progress.commit(id, &commit);
            if commit.end.is_some() {
                // This process may end now. Whatever marks the execution as unfinished must be
                // gone by then, or the next run would continue it.
                session.engine.has_ended(id).await?;
                return Ok(());
            }
        }
        tokio::select! {
            result = changes.changed() => result?,
            () = tokio::time::sleep(POLL) => {}
            () = progress.progress() => {}
            // Only the process that owns the cloud sweeps.
            _ = sweep.tick(), if session.cloud.is_some() => {
                session.engine.resume(id, Leases::ByTime).await?;
            }
        }
    }
}
