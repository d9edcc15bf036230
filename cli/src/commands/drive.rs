//! Runs an execution to its end, on whichever process owns the state folder meanwhile.

use std::sync::Arc;
use std::time::Duration;

use sidestep_aws::counter::Counter;
use sidestep_core::definition::Pipeline;
use sidestep_core::execution::commit::Revision;
use sidestep_core::name::ExecutionId;
use sidestep_local::lambda::FunctionConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::meter::Meter;
use crate::output::error::{CommandError, user};
use crate::output::exit_status::ExitStatus;
use crate::output::follow::{Followed, Shown, end_of};
use crate::project::Project;
use crate::session::Session;
use crate::session::join::Joining;

/// An execution that has begun.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(crate) id: ExecutionId,
    pub(crate) name: String,
    pub(crate) pipeline: Arc<Pipeline>,
    /// Only commits after this one are shown.
    pub(crate) after: Revision,
}

/// How to show an execution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) detach: bool,
    pub(crate) wide: bool,
    pub(crate) json: bool,
}

/// Begins an execution on the embedded cloud by `begin` and follows it to its end.
///
/// If the process that this one has joined ends first, another one continues: this one, or one that
/// waits as well.
pub(crate) async fn drive(
    project: &Project,
    functions: &[FunctionConfig],
    counter: Option<Counter>,
    manner: Manner,
    begin: impl AsyncFn(&Session) -> Result<Begun, CommandError>,
) -> Result<ExitStatus, CommandError> {
    let mut begun: Option<Begun> = None;
    let mut interrupted = signal(SignalKind::interrupt())?;
    loop {
        let follows = begun.as_ref().map(|begun| &begun.id);
        // The requests of another process cannot be counted.
        let joining = match counter {
            Some(_) => Joining::Ups,
            None => Joining::Runs { follows },
        };
        let mut session = tokio::select! {
            session = Session::run(project, functions, counter.as_ref(), joining) => session?,
            _ = interrupted.recv() => return Ok(ExitStatus::Interrupted),
        };
        let checked = check(&session, counter.is_some(), manner.detach);
        if let Err(error) = checked.and_then(|()| session.open(functions, counter.is_none())) {
            session.close(Duration::ZERO).await;
            return Err(error);
        }
        let counted = session.cloud.as_ref().zip(counter.clone());
        let meter = counted.map(|(cloud, counter)| Meter::begin(counter, cloud));
        let work = on(&session, &mut begun, &mut interrupted, meter, manner, &begin);
        let ended = tokio::select! {
            result = work => result,
            hosted = session.host() => match hosted {
                Err(error) => Err(error),
                Ok(never) => match never {},
            },
        };
        let result = match ended {
            Err(_) if session.has_lost_owner().await => Ok(Followed::OwnerEnded),
            ended => ended,
        };
        session.hand_over().await;
        session.close(Duration::ZERO).await;
        match result? {
            Followed::Ended(status) => return Ok(status),
            Followed::OwnerEnded => {}
        }
    }
}

/// Begins or continues the execution in a session, and follows it.
async fn on(
    session: &Session,
    begun: &mut Option<Begun>,
    interrupted: &mut Signal,
    meter: Option<Meter>,
    manner: Manner,
    begin: &impl AsyncFn(&Session) -> Result<Begun, CommandError>,
) -> Result<Followed, CommandError> {
    let current = if let Some(begun) = begun {
        session.take_up(&begun.id, &begun.name).await?;
        begun
    } else {
        tokio::select! {
            new = begin(session) => begun.insert(new?),
            _ = interrupted.recv() => return Ok(Followed::Ended(ExitStatus::Interrupted)),
        }
    };
    if manner.detach {
        println!("{}", current.id);
        return Ok(Followed::Ended(ExitStatus::Succeeded));
    }
    let Manner { json, wide, .. } = manner;
    let shown = Shown { json, wide, after: &mut current.after, interrupted, meter };
    end_of(session, &current.id, &current.pipeline, shown).await
}

/// Checks that the session can do what the options ask for.
fn check(session: &Session, counts: bool, detaches: bool) -> Result<(), CommandError> {
    if counts && session.cloud.is_none() {
        let hint = "stop `sidestep up` first";
        return Err(user("`--cost` cannot count another process's requests").hint(hint));
    }
    if detaches && (session.cloud.is_some() || session.ticket.is_some()) {
        let hint = "start `sidestep up` in another terminal";
        return Err(user("`--detach` needs a running `sidestep up`").hint(hint));
    }
    Ok(())
}
