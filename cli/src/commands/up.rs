//! `sidestep up`: serves the embedded cloud in the foreground; uploads start pipelines.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::name::ExecutionId;
use sidestep_core::parse::parse;
use sidestep_engine::error::EngineError;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::sweep::Leases;
use sidestep_local::cloud::{CloudError, Ports};
use sidestep_local::folder;
use tokio::signal::unix::{SignalKind, signal};

use crate::functions;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::output::follow::SWEEP;
use crate::project::Project;
use crate::schedules;
use crate::session::Session;
use crate::triggers::triggers;

/// How long running functions may take to finish when the command is stopped.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct UpOptions {
    /// Port of S3 on 127.0.0.1 [default: a free one]
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
    /// Print the endpoints as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn up(
    project: Option<&Path>,
    options: &UpOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    folder::check(&project.state_folder()).map_err(CloudError::from)?;
    let names: Vec<_> = project.settings.functions.keys().cloned().collect();
    let ready = functions::prepare(&project, &names)?;
    for (name, why) in &ready.left_out {
        eprintln!("note: function `{name}` is left out: {why}");
    }
    let triggers = triggers(&project, &ready.left_out)?;
    let ports = Ports {
        s3: options.s3_port,
        dynamodb: options.dynamodb_port,
        lambda: options.lambda_port,
        sqs: options.sqs_port,
    };
    let session = Session::own(&project, &ready.functions, &triggers, ports, None).await?;
    for source in &triggers {
        let Definition { text, format } = &source.definition;
        let parsed = parse(text.as_bytes(), *format).map_err(EngineError::Definition)?;
        session.create_queues(&parsed.pipeline).await?;
    }
    session.serve_others(&ready.functions)?;
    let result = serve(&session, options).await;
    session.close(GRACE).await;
    result.map(|()| ExitStatus::Succeeded)
}

async fn serve(session: &Session, options: &UpOptions) -> Result<(), CommandError> {
    let Some(cloud) = &session.cloud else { return Ok(()) };
    let endpoints = cloud.endpoints();
    if options.json {
        println!("{}", json!({ "Endpoints": endpoints }));
    } else {
        println!(
            "S3        {}\nDynamoDB  {}\nLambda    {}\nSQS       {}",
            endpoints.s3,
            endpoints.dynamodb,
            endpoints.lambda,
            endpoints.sqs.as_deref().unwrap_or_default()
        );
        println!("try: aws --endpoint-url {} s3 ls", endpoints.s3);
    }
    attend(session).await
}

/// Announces executions and sweeps them, until the command is told to end.
pub(crate) async fn attend(session: &Session) -> Result<(), CommandError> {
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
    session.engine.sweep(Leases::All).await?;
    let mut changes = session.engine.changes();
    let mut failed = cloud.failed().subscribe();
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.tick().await;
    loop {
        tokio::select! {
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
            _ = sweep.tick() => drop(session.engine.sweep(Leases::ByTime).await?),
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = terminated.recv() => return Ok(()),
        }
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
        if before.is_none() {
            let start = session.engine.executions().start(id).await?;
            let trigger = start.map_or_else(String::new, |start| start.trigger);
            eprintln!("execution {id} of {pipeline} started by {trigger}");
        }
        if summary.status.is_over() {
            let reason = summary.failure_reason.unwrap_or_default();
            eprintln!("execution {id} of {pipeline} {} {reason}", summary.status.name());
        }
    }
    Ok(())
}
