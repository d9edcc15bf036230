//! `sidestep run`: starts an execution, shows its progress and waits for its end.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use sidestep_aws::counter::Counter;
use sidestep_core::name::ExecutionId;
use sidestep_engine::start::{Prepared, StartRequest};
use sidestep_engine::sweep::Leases;
use sidestep_local::cloud::CloudError;
use sidestep_local::folder;

use crate::meter::Meter;
use crate::output::error::{CommandError, user};
use crate::output::exit_status::ExitStatus;
use crate::output::follow::{Shown, end_of};
use crate::project::Project;
use crate::remote::Remote;
use crate::request::{Asked, StartOptions, ask, note_empty_selection, read};
use crate::session::Session;
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
        return follow(&remote.session(project), request, options, None).await;
    }
    folder::check(&project.state_folder()).map_err(CloudError::from)?;
    let Asked { request, ready } = ask(project, &options.start, trigger)?;
    let counter = options.cost.then(|| Counter::new("sidestep"));
    let session = Session::run(project, &ready.functions, counter.as_ref()).await?;
    if options.cost && session.cloud.is_none() {
        let hint = "stop `sidestep up` first";
        return Err(user("`--cost` cannot count another process's requests").hint(hint));
    }
    if options.detach && session.cloud.is_some() {
        session.close(Duration::ZERO).await;
        let hint = "start `sidestep up` in another terminal";
        return Err(user("`--detach` needs a running `sidestep up`").hint(hint));
    }
    let meter =
        session.cloud.as_ref().zip(counter).map(|(cloud, counter)| Meter::begin(counter, cloud));
    let result = follow(&session, request, options, meter).await;
    // The execution has ended, so there is nothing to wait for.
    session.close(Duration::ZERO).await;
    result
}

/// Starts the execution and follows it, unless the user detaches.
async fn follow(
    session: &Session,
    request: StartRequest,
    options: &RunOptions,
    meter: Option<Meter>,
) -> Result<ExitStatus, CommandError> {
    let starter = session.starter.as_ref().unwrap_or(&session.engine);
    let prepared = starter.prepare(request).await?;
    note_empty_selection(&prepared);
    let pipeline = prepared.pipeline.clone();
    session.create_queues(&pipeline, &prepared.start.parameters).await?;
    let id = begin(session, prepared).await?;
    if options.detach {
        println!("{id}");
        return Ok(ExitStatus::Succeeded);
    }
    let StartOptions { json, wide, .. } = options.start;
    end_of(session, &id, &pipeline, Shown { json, wide, after: 0, meter }).await
}

/// Begins the execution, or continues an interrupted one that does the same work.
async fn begin(session: &Session, prepared: Prepared) -> Result<ExecutionId, CommandError> {
    let engine = &session.engine;
    if session.cloud.is_some() {
        for id in engine.executions().live().await? {
            let start = engine.executions().start(&id).await?;
            let is_same = start.is_some_and(|start| start.is_same_work(&prepared.start));
            // The index of live executions may lag, the commits never do.
            if is_same && !engine.has_ended(&id).await? {
                eprintln!("execution {id} was interrupted: continuing it");
                engine.resume(&id, Leases::All).await?;
                return Ok(id);
            }
        }
    }
    Ok(session.starter.as_ref().unwrap_or(engine).begin(prepared).await?)
}
