//! `sidestep retry`: resumes a failed or stopped execution.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use sidestep_core::definition::{Step, StepKind};
use sidestep_core::execution::start::Start;
use sidestep_core::name::ExecutionId;
use sidestep_engine::error::{EngineError, RequestError};
use sidestep_engine::loaded::Loaded;
use sidestep_local::lambda::FunctionConfig;
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::drive::{Begun, Manner, drive};
use crate::commands::run::{RunOptions, run_in};
use crate::functions;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::output::follow::{Shown, end_of};
use crate::project::Project;
use crate::queues::workers;
use crate::request::StartOptions;
use crate::session::Session;
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct RetryOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Return at once and leave the execution running in `sidestep up` or on AWS
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print whole lines, however narrow the terminal
    #[arg(long)]
    pub(crate) wide: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn retry(
    project: Option<&Path>,
    target: Target,
    options: &RetryOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    if let Some(refused) = refused_start(&project, target, &options.execution).await? {
        let mut start = again(&project, &refused)?;
        (start.json, start.wide) = (options.json, options.wide);
        let options = RunOptions { start, detach: options.detach, cost: false };
        eprintln!("execution {} started nothing, so this is a new one", refused.execution_id);
        let trigger = format!("retry of {} ({})", refused.execution_id, refused.trigger);
        return run_in(&project, target, &options, &trigger).await;
    }
    let RetryOptions { json, wide, detach, .. } = *options;
    if target == Target::Local {
        let functions = functions_of(&project, &options.execution).await?;
        let manner = Manner { detach, wide, json };
        let begin = async |session: &Session| retry_in(session, options).await;
        return Box::pin(drive(&project, &functions, None, manner, begin)).await;
    }
    let session = target.open(&project).await?;
    let mut begun = retry_in(&session, options).await?;
    if detach {
        println!("{}", begun.id);
        return Ok(ExitStatus::Succeeded);
    }
    let mut interrupted = signal(SignalKind::interrupt())?;
    let shown =
        Shown { json, wide, after: &mut begun.after, interrupted: &mut interrupted, meter: None };
    Ok(end_of(&session, &begun.id, &begun.pipeline, shown).await?.status())
}

/// Returns the start of an execution that has no steps, because a trigger could not start it.
async fn refused_start(
    project: &Project,
    target: Target,
    text: &str,
) -> Result<Option<Start>, CommandError> {
    let session = target.open(project).await?;
    let work = async {
        let id = session.execution(text).await?;
        let start = session.engine.executions().start(&id).await?;
        Ok::<_, CommandError>(start.filter(|start| start.refused.is_some()))
    };
    let start = work.await;
    session.close(Duration::ZERO).await;
    start
}

/// Returns what asks for the same again: the pipeline as it is now, with the parameters as they
/// were given.
fn again(project: &Project, start: &Start) -> Result<StartOptions, CommandError> {
    let pipeline = start.pipeline_name.to_string();
    project.pipeline(&pipeline)?;
    let given = start.refused.iter().flat_map(|refused| refused.parameters.clone());
    Ok(StartOptions::plain(pipeline, given.collect()))
}

/// Builds the functions of the execution.
async fn functions_of(project: &Project, text: &str) -> Result<Vec<FunctionConfig>, CommandError> {
    let session = Session::read(project).await?;
    let work = async {
        let id = session.execution(text).await?;
        Ok::<_, CommandError>(session.engine.load(&id).await?)
    };
    let loaded = work.await;
    session.close(Duration::ZERO).await;
    let Loaded { start, pipeline, .. } = loaded?;
    let functions = start.functions.keys();
    let mut names: Vec<_> = functions.map(|function| function.function_name().to_owned()).collect();
    names.extend(workers(project, &pipeline));
    Ok(functions::prepare(project, &names)?.functions)
}

/// Returns how to run the rest of an execution with the code of now.
fn with_new_code(id: &ExecutionId, loaded: &Loaded) -> String {
    let Loaded { start, pipeline, execution } = loaded;
    let name = &start.pipeline_name;
    let is_function = |step: &&Step| matches!(step.kind, StepKind::Lambda(_));
    let is_cached = pipeline.steps.iter().filter(is_function).all(|step| step.cache.is_some());
    if is_cached {
        return format!(
            "`sidestep run {name}` starts a new execution, which takes finished steps from the cache"
        );
    }
    if execution.status.has_failures() {
        return format!(
            "`sidestep run {name} --source {id} --select result:failed+` runs the failed steps and those behind them with the new code, and takes the other results from this execution"
        );
    }
    format!("`sidestep run {name}` starts a new execution; steps without caching run again")
}

/// Asks for the retry.
async fn retry_in(session: &Session, options: &RetryOptions) -> Result<Begun, CommandError> {
    let id = session.execution(&options.execution).await?;
    let loaded = session.engine.load(&id).await?;
    let name = loaded.start.pipeline_name.to_string();
    session.follows(&id, &name)?;
    if let Err(error) = session.engine.retry(&id).await {
        let is_other = matches!(&error, EngineError::Request(RequestError::OtherCode { .. }));
        let error = CommandError::from(error);
        return Err(if is_other { error.hint(with_new_code(&id, &loaded)) } else { error });
    }
    Ok(Begun { id, name, pipeline: loaded.pipeline, after: loaded.execution.revision })
}
