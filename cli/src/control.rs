//! `sidestep stop`, `sidestep retry` and `sidestep callback`.

use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use sidestep_core::name::ExecutionId;
use sidestep_engine::control::Answer;
use sidestep_engine::sweep::Leases;

use crate::arguments::Target;
use crate::error::{exit, user};
use crate::functions;
use crate::project::Project;
use crate::run::{Shown, end_of, function_name};
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct StopOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RetryOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Return at once; the execution goes on where it runs
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CallbackCommand {
    /// The step succeeded
    Success {
        /// `token` of the step's message
        token: String,
        /// An output of the step; repeatable
        #[arg(short, long = "output", value_name = "NAME=VALUE")]
        outputs: Vec<String>,
    },
    /// The step failed
    Failure {
        /// `token` of the step's message
        token: String,
        /// Why, in up to 256 characters
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(crate) async fn stop(
    project: Option<&Path>,
    target: Target,
    options: &StopOptions,
) -> anyhow::Result<u8> {
    let project = Project::find(project)?;
    let session = Session::open(&project, target).await?;
    let stopped = stop_in(&session, &options.execution).await;
    session.close(Duration::ZERO).await;
    let (id, status) = stopped?;
    if options.json {
        println!("{}", json!({ "ExecutionId": id, "PipelineExecutionStatus": status }));
    } else {
        println!("execution {id} is {status}");
    }
    Ok(exit::SUCCEEDED)
}

async fn stop_in(session: &Session, text: &str) -> anyhow::Result<(ExecutionId, &'static str)> {
    let id = session.execution(text).await?;
    let mut status = session.engine.stop(&id).await?;
    // In a cloud of this command's own nothing runs: whoever ran it is gone.
    if session.cloud.is_some() && !status.is_over() {
        session.engine.resume(&id, Leases::All).await?;
        status = session.engine.load(&id).await?.execution.status;
    }
    Ok((id, status.name()))
}

pub(crate) async fn retry(
    project: Option<&Path>,
    target: Target,
    options: &RetryOptions,
) -> anyhow::Result<u8> {
    let project = Project::find(project)?;
    let session = match target {
        Target::Aws => Session::open(&project, target).await?,
        Target::Local => with_functions_of(&project, &options.execution).await?,
    };
    if options.detach && session.cloud.is_some() {
        session.close(Duration::ZERO).await;
        let hint = "start `sidestep up` in another terminal";
        return Err(user("`--detach` needs a cloud that stays").hint(hint).into());
    }
    let result = retry_in(&session, options).await;
    session.close(Duration::ZERO).await;
    result
}

/// A session that serves the functions which the execution used.
async fn with_functions_of(project: &Project, text: &str) -> anyhow::Result<Session> {
    let session = Session::read(project).await?;
    let start = async {
        let id = session.execution(text).await?;
        anyhow::Ok(session.engine.load(&id).await?.start)
    };
    let start = start.await;
    session.close(Duration::ZERO).await;
    let names: Vec<_> = start?.functions.keys().map(|arn| function_name(arn).to_owned()).collect();
    let ready = functions::prepare(project, &names)?;
    Session::run(project, &ready.functions, None).await
}

async fn retry_in(session: &Session, options: &RetryOptions) -> anyhow::Result<u8> {
    let id = session.execution(&options.execution).await?;
    let loaded = session.engine.load(&id).await?;
    session.engine.retry(&id).await?;
    if options.detach {
        println!("{id}");
        return Ok(exit::SUCCEEDED);
    }
    let shown = Shown { json: options.json, after: loaded.execution.revision, meter: None };
    end_of(session, &id, &loaded.pipeline, shown).await
}

pub(crate) async fn callback(
    project: Option<&Path>,
    target: Target,
    command: CallbackCommand,
) -> anyhow::Result<u8> {
    let (token, answer) = match command {
        CallbackCommand::Success { token, outputs } => {
            (token, Answer::Success(outputs_of(&outputs)?))
        }
        CallbackCommand::Failure { token, reason } => {
            let reason = reason.unwrap_or_else(|| "no reason was given".to_owned());
            if reason.chars().count() > 256 {
                return Err(user("the reason has more than 256 characters").into());
            }
            (token, Answer::Failure(reason))
        }
    };
    let project = Project::find(project)?;
    let session = Session::open(&project, target).await?;
    let answered = session.engine.answer(&token, answer).await;
    session.close(Duration::ZERO).await;
    answered?;
    Ok(exit::SUCCEEDED)
}

fn outputs_of(given: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut outputs = Map::new();
    for text in given {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| user(format!("`--output {text}`: expected NAME=VALUE")))?;
        if outputs.insert(name.to_owned(), Value::from(value)).is_some() {
            return Err(user(format!("output `{name}` is given twice")).into());
        }
    }
    Ok(outputs)
}
