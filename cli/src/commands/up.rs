//! `sidestep up`: serves the embedded cloud in the foreground; uploads start pipelines.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::name::ExecutionId;
use sidestep_core::parse::parse;
use sidestep_engine::engine::Engine;
use sidestep_engine::error::{EngineError, error_chain};
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::ports::freshness::Freshness;
use sidestep_engine::sweep::Leases;
use sidestep_local::cloud::{CloudError, Ports};
use sidestep_local::folder;
use tokio::signal::unix::{SignalKind, signal};

use super::env::key_of;
use crate::address;
use crate::admission::admission;
use crate::commands::list::refused;
use crate::drives::{BEAT, Beats};
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::output::follow::SWEEP;
use crate::output::printable::Printable;
use crate::project::Project;
use crate::reload::{Ask, Gate, Reloader};
use crate::schedules;
use crate::served::Served;
use crate::session::Session;

/// How long running functions may take to finish when the command is stopped.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct UpOptions {
    /// Address of all services together; any but loopback needs access keys [default:
    /// 127.0.0.1:4566, or another port if that is in use]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Port of S3 alone on 127.0.0.1 [default: a free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) s3_port: u16,
    /// Port of DynamoDB [default: a free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) dynamodb_port: u16,
    /// Port of Lambda [default: a free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) lambda_port: u16,
    /// Port of SQS [default: a free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) sqs_port: u16,
    /// Keep the definitions, functions and settings of the start although their files change
    #[arg(long)]
    pub(crate) no_watch: bool,
    /// Print the endpoints as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn up(
    project: Option<&Path>,
    options: &UpOptions,
) -> Result<ExitStatus, CommandError> {
    let found = Project::find(project)?;
    let admission = admission(&found, options.listen)?;
    folder::check(&found.state_folder()).map_err(CloudError::from)?;
    let served = Served::read(project)?;
    served.note_left_out();
    let ports = Ports {
        s3: options.s3_port,
        dynamodb: options.dynamodb_port,
        lambda: options.lambda_port,
        sqs: options.sqs_port,
    };
    let gate = Arc::new(Gate::default());
    let freshness = Arc::clone(&gate) as Arc<dyn Freshness>;
    let Served { project, functions, triggers, .. } = &served;
    let places = (ports, address::bind(options.listen).await?);
    let session = Session::own(project, functions, triggers, places, freshness).await?;
    let api = session.api(served.left_out.clone())?;
    session.serve_address(&api, admission).await?;
    for source in triggers {
        let Definition { text, format } = &source.definition;
        let parsed = parse(text.as_bytes(), *format).map_err(EngineError::Definition)?;
        session.create_queues(&parsed.pipeline, &source.values()).await?;
    }
    let reloader = Reloader::new(served, &gate, !options.no_watch);
    reloader.published().write(&session.state)?;
    // Boxed, because it is large: it drives everything.
    let result = Box::pin(serve(&session, options, reloader)).await;
    session.close(GRACE).await;
    result.map(|()| ExitStatus::Succeeded)
}

async fn serve(
    session: &Session,
    options: &UpOptions,
    reloader: Reloader,
) -> Result<(), CommandError> {
    let Some(cloud) = &session.cloud else { return Ok(()) };
    let endpoints = cloud.endpoints();
    if options.json {
        println!("{}", json!({ "Endpoints": endpoints, "Credentials": key_of(endpoints) }));
    } else {
        println!(
            "all       {}\nS3        {}\nDynamoDB  {}\nLambda    {}\nSQS       {}",
            endpoints.aws.as_deref().unwrap_or_default(),
            endpoints.s3,
            endpoints.dynamodb,
            endpoints.lambda,
            endpoints.sqs.as_deref().unwrap_or_default()
        );
        println!("key       {}", endpoints.credentials.access_key_id);
        println!("secret    {}", endpoints.credentials.secret_access_key);
        println!("try: eval \"$(sidestep env)\" && aws s3 ls");
    }
    Box::pin(attend(session, Some(reloader))).await
}

/// Announces executions, sweeps them and serves edited files, until the command is told to end.
pub(crate) async fn attend(
    session: &Session,
    mut reloader: Option<Reloader>,
) -> Result<(), CommandError> {
    let mut terminated = signal(SignalKind::terminate())?;
    let Some(cloud) = &session.cloud else {
        // The other process announces and sweeps.
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = terminated.recv() => return Ok(()),
        }
    };
    let mut known = BTreeMap::new();
    announce(session, &mut known, false).await?;
    let _ticking = schedules::start(&session.engine).await?;
    let first = session.engine.sweep(Leases::All);
    tokio::pin!(first);
    loop {
        // The sweep may start a window, which asks.
        tokio::select! {
            swept = &mut first => break drop(swept?),
            waiting = asked(&mut reloader) => answer(&mut reloader, session, waiting).await,
        }
    }
    let mut beats = Beats::new(&session.state);
    let mut beat = tokio::time::interval(BEAT);
    let mut changes = session.engine.changes();
    let mut failed = cloud.failed().subscribe();
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.tick().await;
    loop {
        tokio::select! {
            waiting = asked(&mut reloader) => answer(&mut reloader, session, waiting).await,
            result = changes.changed() => {
                result?;
                announce(session, &mut known, true).await?;
            }
            result = failed.changed() => {
                result?;
                let failure = failed.borrow_and_update().clone();
                let causes = failure.map_or_else(String::new, |failure| failure.causes);
                eprintln!("the planner cannot go on, and will try again: {causes}");
            }
            _ = beat.tick() => {
                // A failure is one of the sweep, too, which reports it.
                if let Ok(live) = session.engine.executions().live().await {
                    beats.note(&live.into_iter().collect());
                }
            }
            // Beside this loop, because the sweep may start a window, which asks this loop.
            _ = sweep.tick() => drop(tokio::spawn(swept(Arc::clone(&session.engine)))),
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = terminated.recv() => return Ok(()),
        }
    }
}

/// Waits until what is served may be old, for ever if nothing is served.
async fn asked(reloader: &mut Option<Reloader>) -> Vec<Ask> {
    match reloader {
        Some(reloader) => reloader.asked().await,
        None => std::future::pending().await,
    }
}

async fn answer(reloader: &mut Option<Reloader>, session: &Session, waiting: Vec<Ask>) {
    if let Some(reloader) = reloader {
        reloader.answer(session, waiting).await;
    }
}

/// Sweeps once. A failure is left to the next sweep.
async fn swept(engine: Arc<Engine>) {
    if let Err(error) = engine.sweep(Leases::ByTime).await {
        eprintln!("note: executions could not be looked after: {}", error_chain(&error));
    }
}

/// Prints which executions started and ended since the last call; prints nothing if not `aloud`.
async fn announce(
    session: &Session,
    known: &mut BTreeMap<ExecutionId, ExecutionStatus>,
    aloud: bool,
) -> Result<(), CommandError> {
    for summary in session.engine.executions().list(None, 100).await?.into_iter().rev() {
        let before = known.insert(summary.execution_id.clone(), summary.status);
        if before == Some(summary.status) || !aloud {
            continue;
        }
        let (id, pipeline) = (&summary.execution_id, &summary.pipeline_name);
        if let Some(why) = refused(&summary) {
            let start = session.engine.executions().start(id).await?;
            let trigger = start.map_or_else(String::new, |start| start.trigger);
            eprintln!("error: {trigger} started nothing: pipeline {pipeline}: {why}");
            eprintln!("hint: `sidestep retry {id}` asks for it again when the cause is fixed");
            continue;
        }
        if before.is_none() {
            let start = session.engine.executions().start(id).await?;
            let trigger = start.map_or_else(String::new, |start| start.trigger);
            eprintln!("execution {id} of {pipeline} started by {}", Printable(&trigger));
        }
        if summary.status.is_over() {
            let reason = summary.failure_reason.unwrap_or_default();
            let (status, why) = (summary.status.name(), Printable(&reason));
            eprintln!("execution {id} of {pipeline} {status} {why}");
        }
    }
    Ok(())
}
