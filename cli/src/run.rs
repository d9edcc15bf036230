//! `sidestep run`: start an execution, show how it goes, wait for its end.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

use sidestep_aws::counter::Counter;
use sidestep_core::definition::{Pipeline, StepKind};
use sidestep_core::execution::commit::Revision;
use sidestep_core::name::ExecutionId;
use sidestep_engine::start::{Prepared, StartRequest};
use sidestep_engine::sweep::Leases;
use sidestep_local::cloud::CloudError;
use sidestep_local::folder;

use crate::arguments::{RunOptions, Target};
use crate::cost::{self, Meter};
use crate::error::{exit, user};
use crate::project::Project;
use crate::reasons;
use crate::remote::Remote;
use crate::request::{Asked, ask, note_empty_selection, read};
use crate::session::Session;
use crate::table;
use crate::view::View;

/// How often executions are looked after that may have lost a message.
pub(crate) const SWEEP: Duration = Duration::from_mins(1);
/// How often another process's execution is looked at.
const POLL: Duration = Duration::from_millis(200);

pub(crate) async fn run(
    project: Option<&Path>,
    target: Target,
    options: RunOptions,
) -> anyhow::Result<u8> {
    let project = Project::find(project)?;
    if target == Target::Aws && options.cost {
        let hint = "docs/performance.md has the cost of a step on AWS";
        return Err(user("`--cost` counts on the embedded cloud only").hint(hint).into());
    }
    if target == Target::Aws {
        let remote = Remote::open(&project).await?;
        let (mut request, _) = read(&project, &options.start, "sidestep run")?;
        request.definition = remote.definition(request.definition);
        return follow(&remote.session(&project), request, &options, None).await;
    }
    folder::check(&project.state_folder()).map_err(CloudError::from)?;
    let Asked { request, ready } = ask(&project, &options.start, "sidestep run")?;
    let counter = options.cost.then(|| Counter::new("sidestep"));
    let session = Session::run(&project, &ready.functions, counter.as_ref()).await?;
    if options.cost && session.cloud.is_none() {
        let hint = "stop `sidestep up` first";
        return Err(user("`--cost` cannot count another process's requests").hint(hint).into());
    }
    if options.detach && session.cloud.is_some() {
        session.close(Duration::ZERO).await;
        let hint = "start `sidestep up` in another terminal";
        return Err(user("`--detach` needs a cloud that stays").hint(hint).into());
    }
    let meter =
        session.cloud.as_ref().zip(counter).map(|(cloud, counter)| Meter::begin(counter, cloud));
    let result = follow(&session, request, &options, meter).await;
    // Its functions have ended, and with them everything that someone waits for.
    session.close(Duration::ZERO).await;
    result
}

async fn follow(
    session: &Session,
    request: StartRequest,
    options: &RunOptions,
    meter: Option<Meter>,
) -> anyhow::Result<u8> {
    let starter = session.starter.as_ref().unwrap_or(&session.engine);
    let prepared = starter.prepare(request).await?;
    note_empty_selection(&prepared);
    let pipeline = prepared.pipeline.clone();
    session.create_queues(&pipeline).await?;
    let id = begin(session, prepared).await?;
    if options.detach {
        println!("{id}");
        return Ok(exit::SUCCEEDED);
    }
    end_of(session, &id, &pipeline, Shown { json: options.start.json, after: 0, meter }).await
}

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
) -> anyhow::Result<u8> {
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
            return Ok(exit::INTERRUPTED);
        }
    }
    view.finish();
    let description = reasons::describe(&session.engine, id).await?;
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
    Ok(if succeeded { exit::SUCCEEDED } else { exit::FAILED })
}

/// Begins the execution, or goes on with one that asks for the same work and was cut off.
async fn begin(session: &Session, prepared: Prepared) -> anyhow::Result<ExecutionId> {
    let engine = &session.engine;
    if session.cloud.is_some() {
        for id in engine.executions().live().await? {
            let start = engine.executions().start(&id).await?;
            if start.is_some_and(|start| start.is_same_work(&prepared.start)) {
                eprintln!("execution {id} was interrupted: going on with it");
                engine.resume(&id, Leases::All).await?;
                return Ok(id);
            }
        }
    }
    Ok(session.starter.as_ref().unwrap_or(engine).begin(prepared).await?)
}

/// Shows commits as they come, until the execution is over.
async fn watch(
    session: &Session,
    id: &ExecutionId,
    view: &mut View,
    mut shown: Revision,
) -> anyhow::Result<()> {
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

/// The functions of a pipeline's Lambda steps, by name.
pub(crate) fn function_names(pipeline: &Pipeline) -> Vec<String> {
    let arns = pipeline.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Lambda(lambda) => Some(function_name(&lambda.function_arn).to_owned()),
        _ => None,
    });
    arns.collect()
}

/// What is left out, by the `FunctionArn` as the definition writes it.
pub(crate) fn left_out(
    pipeline: &Pipeline,
    by_name: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let arns = pipeline.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Lambda(lambda) => {
            let why = by_name.get(function_name(&lambda.function_arn))?;
            Some((lambda.function_arn.clone(), why.clone()))
        }
        _ => None,
    });
    arns.collect()
}

pub(crate) fn function_name(arn: &str) -> &str {
    let name = arn.rsplit_once(":function:").map_or(arn, |(_, name)| name);
    name.split(':').next().unwrap_or(name)
}
