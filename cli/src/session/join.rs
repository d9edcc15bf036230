//! Joins another command that runs in the project, or becomes the owner of the state folder.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sidestep_aws::counter::Counter;
use sidestep_core::name::ExecutionId;
use sidestep_engine::options::EngineOptions;
use sidestep_local::deployment::local_engine;
use sidestep_local::folder::{Endpoints, published_endpoints};
use sidestep_local::lambda::FunctionConfig;

use super::setup::watched;
use super::ticket::{Join, Ticket};
use super::{POLL, Session};
use crate::output::error::{CommandError, user};
use crate::project::Project;
use crate::published::{Published, PublishedRun, digests};
use crate::source_paths::SourcePaths;

/// How long a command waits until a running `sidestep up` serves the code that it has just built.
const CATCHING_UP: Duration = Duration::from_mins(1);

/// How long a command waits for another one before it says so.
const SILENCE: Duration = Duration::from_secs(1);

/// Which running commands a command joins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Joining<'a> {
    /// A `sidestep up`, which serves until it is stopped.
    Ups,
    /// Also one that runs an execution. When that one ends, this command continues the execution
    /// that it follows by itself.
    Runs { follows: Option<&'a ExecutionId> },
}

impl Session {
    /// Joins another command, or starts a cloud after other commands' clouds have ended.
    pub(crate) async fn run(
        project: &Project,
        functions: &[FunctionConfig],
        counter: Option<&Counter>,
        joining: Joining<'_>,
    ) -> Result<Self, CommandError> {
        let (mut has_waited, mut ticket) = (false, None);
        let begun = Instant::now();
        let until = begun + CATCHING_UP;
        loop {
            let mut holder = None;
            match Self::join(project, functions, joining, &mut ticket)? {
                Joined::Session(session) => return Ok(*session),
                Joined::Other { follows: true, .. } if Instant::now() < until => {
                    tokio::time::sleep(POLL).await;
                    continue;
                }
                Joined::Other { function, .. } => {
                    let problem =
                        format!("`sidestep up` serves different code for function `{function}`");
                    return Err(user(problem).hint("restart it"));
                }
                Joined::Held(run) => holder = Some(run),
                Joined::None => {}
            }
            let owned =
                Self::own_unless_in_use(project, functions, &[], counter, None, &mut None).await?;
            if let Some(session) = owned {
                return Ok(session);
            }
            if !has_waited && begun.elapsed() > SILENCE {
                let holder = holder.map_or("another sidestep".to_owned(), |run| run.to_string());
                eprintln!("{holder} in this project: waiting until it ends");
                has_waited = true;
            }
            // Do not wait for the lock: an `up` never ends, but can be joined once it serves.
            tokio::time::sleep(POLL).await;
        }
    }

    /// Joins another command, if there is one and it serves the same functions. One that runs an
    /// execution serves them when it has read the ticket.
    fn join(
        project: &Project,
        functions: &[FunctionConfig],
        joining: Joining<'_>,
        ticket: &mut Option<Ticket>,
    ) -> Result<Joined, CommandError> {
        let state = project.state_folder();
        let Some(endpoints) = published_endpoints(&state) else { return Ok(Joined::None) };
        let Some(served) = Published::read(&state)? else { return Ok(Joined::None) };
        if let Some(run) = served.run {
            let Joining::Runs { follows } = joining else { return Ok(Joined::Held(run)) };
            if !run.is_open {
                return Ok(Joined::Held(run));
            }
            if ticket.as_ref().is_none_or(|ticket| !ticket.asks(run.process)) {
                // First, because it takes its file with it.
                drop(ticket.take());
                let join = Join {
                    owner: run.process,
                    project: project.folder.clone(),
                    functions: digests(functions),
                    execution: follows.cloned(),
                    is_interrupted: follows.is_some(),
                };
                *ticket = Some(Ticket::write(&state, join)?);
            }
            let answer = ticket.as_ref().and_then(|ticket| run.joined.get(ticket.name()));
            if answer != Some(&None) {
                return Ok(Joined::Held(run));
            }
            let joined = Self::joined(project, endpoints);
            return Ok(Joined::Session(Box::new(Self {
                ticket: ticket.take().map(Mutex::new),
                ..joined
            })));
        }
        for (function, digest) in digests(functions) {
            if served.functions.get(&function) != Some(&digest) {
                if let Some(stale) = served.stale {
                    return Err(user(stale).hint("fix that first"));
                }
                return Ok(Joined::Other { function, follows: served.follows });
            }
        }
        Ok(Joined::Session(Box::new(Self::joined(project, endpoints))))
    }

    /// Returns a session over another process's endpoints.
    pub(super) fn joined(project: &Project, endpoints: Endpoints) -> Self {
        let state = project.state_folder();
        let handoff = project.settings.engine.handoff;
        let options = EngineOptions { handoff, ..watched(&state) };
        let engine = Arc::new(local_engine(&endpoints, options));
        let sources = SourcePaths::of(&project.settings);
        Self {
            engine,
            cloud: None,
            endpoints: Some(endpoints),
            state,
            starter: None,
            owner: None,
            ticket: None,
            sources,
        }
    }
}

/// What became of an attempt to join another command.
enum Joined {
    Session(Box<Session>),
    /// It serves other code of this function.
    Other {
        function: String,
        /// If true, it will serve this code soon.
        follows: bool,
    },
    /// It runs an execution, and has not let this command in.
    Held(PublishedRun),
    /// None is running, or it does not serve others yet.
    None,
}
