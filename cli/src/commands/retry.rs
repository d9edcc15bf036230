//! `sidestep retry`: resumes a failed or stopped execution.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use crate::functions;
use crate::output::error::{CommandError, user};
use crate::output::exit_status::ExitStatus;
use crate::output::follow::{Shown, end_of};
use crate::project::Project;
use crate::session::Session;
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct RetryOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Return at once and leave the execution running in `sidestep up` or on AWS
    #[arg(long)]
    pub(crate) detach: bool,
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
    let session = match target {
        Target::Aws => target.open(&project).await?,
        Target::Local => with_functions_of(&project, &options.execution).await?,
    };
    if options.detach && session.cloud.is_some() {
        session.close(Duration::ZERO).await;
        let hint = "start `sidestep up` in another terminal";
        return Err(user("`--detach` needs a running `sidestep up`").hint(hint));
    }
    let result = retry_in(&session, options).await;
    session.close(Duration::ZERO).await;
    result
}

/// Opens a session that serves the functions of the execution.
async fn with_functions_of(project: &Project, text: &str) -> Result<Session, CommandError> {
    let session = Session::read(project).await?;
    let work = async {
        let id = session.execution(text).await?;
        Ok::<_, CommandError>(session.engine.load(&id).await?.start)
    };
    let start = work.await;
    session.close(Duration::ZERO).await;
    let functions = &start?.functions;
    let names: Vec<_> =
        functions.keys().map(|function| function.function_name().to_owned()).collect();
    let ready = functions::prepare(project, &names)?;
    Session::run(project, &ready.functions, None).await
}

async fn retry_in(session: &Session, options: &RetryOptions) -> Result<ExitStatus, CommandError> {
    let id = session.execution(&options.execution).await?;
    let loaded = session.engine.load(&id).await?;
    session.engine.retry(&id).await?;
    if options.detach {
        println!("{id}");
        return Ok(ExitStatus::Succeeded);
    }
    let shown = Shown { json: options.json, after: loaded.execution.revision, meter: None };
    end_of(session, &id, &loaded.pipeline, shown).await
}
