//! `sidestep run`: starts an execution, shows its progress and waits for its end.

use std::cell::RefCell;
use std::path::Path;

use clap::Args;
use sidestep_aws::counter::Counter;
use sidestep_core::definition::StepKind;
use sidestep_core::execution::Phase;
use sidestep_core::name::ExecutionId;
use sidestep_engine::start::{Prepared, StartRequest};
use sidestep_local::cloud::CloudError;
use sidestep_local::folder;
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::drive::{Begun, Manner, drive};
use crate::output::error::{CommandError, user};
use crate::output::exit_status::ExitStatus;
use crate::output::follow::{Shown, end_of};
use crate::project::Project;
use crate::published::Published;
use crate::remote::Remote;
use crate::request::{Asked, StartOptions, ask, note_empty_selection, read};
use crate::session::{POLL, Session};
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) start: StartOptions,
    /// Start the execution in a running `sidestep up` and return
    #[arg(long)]
    pub(crate) detach: bool,
    /// Count the execution's requests to AWS services and price them at list prices
    #[arg(long, conflicts_with = "detach")]
    pub(crate) cost: bool,
}

pub(crate) async fn run(
    project: Option<&Path>,
    target: Target,
    options: RunOptions,
) -> Result<ExitStatus, CommandError> {
    run_in(&Project::find(project)?, target, &options, "sidestep run").await
}

/// Runs a pipeline of a project. `trigger` says in words what started it.
pub(crate) async fn run_in(
    project: &Project,
    target: Target,
    options: &RunOptions,
    trigger: &str,
) -> Result<ExitStatus, CommandError> {
    if target == Target::Aws && options.cost {
        let hint = "docs/performance.md has the cost of a step on AWS";
        return Err(user("`--cost` counts on the embedded cloud only").hint(hint));
    }
    if target == Target::Aws {
        let remote = Remote::open(project).await?;
        let (mut request, _) = read(project, &options.start, trigger)?;
        request.definition = remote.definition(request.definition);
        let session = remote.session(project);
        let mut begun = start(&session, &request, &RefCell::default()).await?;
        if options.detach {
            println!("{}", begun.id);
            return Ok(ExitStatus::Succeeded);
        }
        let StartOptions { json, wide, .. } = options.start;
        let mut interrupted = signal(SignalKind::interrupt())?;
        let shown = Shown {
            json,
            wide,
            after: &mut begun.after,
            interrupted: &mut interrupted,
            meter: None,
        };
        return Ok(end_of(&session, &begun.id, &begun.pipeline, shown).await?.status());
    }
    folder::check(&project.state_folder()).map_err(CloudError::from)?;
    let Asked { request, ready } = ask(project, &options.start, trigger)?;
    let counter = options.cost.then(|| Counter::new("sidestep"));
    let StartOptions { json, wide, .. } = options.start;
    let manner = Manner { detach: options.detach, wide, json };
    let asked = RefCell::new(None);
    let begin = async |session: &Session| start(session, &request, &asked).await;
    Box::pin(drive(project, &ready.functions, counter, manner, begin)).await
}

/// Starts the execution, or continues an interrupted one that does the same work.
///
/// `asked` keeps the execution that was to begin. It may have begun in a process that ended before
/// it could say so.
async fn start(
    session: &Session,
    request: &StartRequest,
    asked: &RefCell<Option<Begun>>,
) -> Result<Begun, CommandError> {
    let starter = session.starter.as_ref().unwrap_or(&session.engine);
    let before = asked.take();
    if let Some(begun) = before
        && session.engine.executions().start(&begun.id).await?.is_some()
    {
        session.take_up(&begun.id, &begun.name).await?;
        return Ok(begun);
    }
    let mut has_waited = false;
    loop {
        let prepared = starter.prepare(request.clone()).await?;
        if !has_waited {
            note_empty_selection(&prepared);
        }
        let name = request.pipeline_name.to_string();
        let pipeline = prepared.pipeline.clone();
        session.create_queues(&pipeline, &prepared.start.parameters).await?;
        let id = match same_work(session, &prepared).await? {
            Same::None => {
                // Before it begins, so that at no time it seems to be driven by none.
                let id = prepared.start.execution_id.clone();
                session.follows(&id, &name)?;
                let (name, pipeline) = (name.clone(), pipeline.clone());
                asked.replace(Some(Begun { id, name, pipeline, after: 0 }));
                starter.begin(prepared).await?
            }
            Same::Interrupted(id) => {
                eprintln!("execution {id} was interrupted: continuing it");
                session.take_up(&id, &name).await?;
                id
            }
            Same::Left(id) => {
                eprintln!("execution {id} is running: following it");
                session.follows(&id, &name)?;
                id
            }
            Same::Followed(id) => {
                eprintln!("execution {id} does the same: waiting until it ends");
                wait_for(session, &id).await?;
                has_waited = true;
                continue;
            }
        };
        return Ok(Begun { id, name, pipeline, after: 0 });
    }
}

/// An execution that does the same work and has not ended.
enum Same {
    None,
    /// No process drives it.
    Interrupted(ExecutionId),
    /// A process drives it, and its command has been interrupted.
    Left(ExecutionId),
    /// Another command waits for its end.
    Followed(ExecutionId),
}

/// Returns an execution that does the same work, where this command must not begin another one.
async fn same_work(session: &Session, prepared: &Prepared) -> Result<Same, CommandError> {
    // An `up` drives whatever is asked of it.
    if session.cloud.is_none() && session.ticket.is_none() {
        return Ok(Same::None);
    }
    let engine = &session.engine;
    for id in engine.executions().live().await? {
        let start = engine.executions().start(&id).await?;
        let is_same = start.is_some_and(|start| start.is_same_work(&prepared.start));
        // The index of live executions may lag, the commits never do.
        if !is_same || engine.has_ended(&id).await? {
            continue;
        }
        let run = match session.cloud {
            Some(_) => None,
            None => Published::read(&session.state)?.and_then(|published| published.run),
        };
        let is_driven = run.as_ref().is_some_and(|run| run.driven.contains(&id));
        let is_followed = session.followed_by_others().contains(&id)
            || run.is_some_and(|run| run.execution.as_ref() == Some(&id));
        if !is_driven && !is_followed {
            return Ok(Same::Interrupted(id));
        }
        if !is_followed {
            return Ok(Same::Left(id));
        }
        if works(session, &id).await? {
            return Ok(Same::Followed(id));
        }
    }
    Ok(Same::None)
}

/// Returns true while an execution has more to do than to wait for answers of others.
async fn works(session: &Session, id: &ExecutionId) -> Result<bool, CommandError> {
    let loaded = session.engine.load(id).await?;
    let mut waits = false;
    for index in loaded.pipeline.indexes() {
        let is_callback = matches!(loaded.pipeline.step(index).kind, StepKind::Callback(_));
        match loaded.execution.step(index).phase {
            Phase::Executing if is_callback => waits = true,
            Phase::Executing | Phase::Retrying => return Ok(true),
            _ => {}
        }
    }
    Ok(!waits)
}

/// Waits until an execution has ended or only waits for answers.
async fn wait_for(session: &Session, id: &ExecutionId) -> Result<(), CommandError> {
    while !session.engine.has_ended(id).await? && works(session, id).await? {
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
