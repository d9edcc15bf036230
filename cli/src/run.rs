//! `sidestep run`: start an execution, show how it goes, wait for its end.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sidestep_core::commit::Revision;
use sidestep_core::definition::{Pipeline, StepKind};
use sidestep_core::name::ExecutionId;
use sidestep_core::reader::parse;
use sidestep_engine::engine::EngineError;
use sidestep_engine::start::{Prepared, StartRequest};
use sidestep_engine::sweep::Leases;

use crate::arguments::RunOptions;
use crate::error::{exit, user};
use crate::functions;
use crate::project::Project;
use crate::session::Session;
use crate::table;
use crate::view::View;

/// How often another process's execution is looked at.
const POLL: Duration = Duration::from_millis(200);

pub(crate) async fn run(project: Option<&Path>, options: RunOptions) -> anyhow::Result<u8> {
    let project = Project::find(project)?;
    let source = project.pipeline(&options.pipeline)?;
    let definition = source.read()?;
    let parsed =
        parse(definition.text.as_bytes(), definition.format).map_err(EngineError::Definition)?;
    for warning in &parsed.warnings {
        eprintln!("{}", crate::validate::line(&source.path.display().to_string(), warning));
    }
    let ready = functions::prepare(&project, &function_names(&parsed.pipeline))?;
    for (name, why) in &ready.left_out {
        eprintln!("note: function `{name}` is left out: {why}");
    }
    let session = Session::run(&project, &ready.functions).await?;
    if options.detach && session.cloud.is_some() {
        session.close(Duration::ZERO).await;
        let hint = "start `sidestep up` in another terminal";
        return Err(user("`--detach` needs a cloud that stays").hint(hint).into());
    }
    let request = StartRequest {
        pipeline_name: source.name,
        definition,
        parameters: parameters(&options.parameters)?,
        use_cache: !options.no_cache,
        left_out: left_out(&parsed.pipeline, &ready.left_out),
        trigger: "sidestep run".to_owned(),
        token: None,
    };
    let result = follow(&session, request, &options).await;
    // Its functions have ended, and with them everything that someone waits for.
    session.close(Duration::ZERO).await;
    result
}

async fn follow(
    session: &Session,
    request: StartRequest,
    options: &RunOptions,
) -> anyhow::Result<u8> {
    let prepared = session.engine.prepare(request).await?;
    let pipeline = prepared.pipeline.clone();
    let mut view = View::new(&pipeline, session, !options.json);
    let id = begin(session, prepared).await?;
    if options.detach {
        println!("{id}");
        return Ok(exit::SUCCEEDED);
    }
    view.started(&id);
    let watched = watch(session, &id, &mut view);
    tokio::select! {
        watched = watched => watched?,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("interrupted: the same command goes on where execution {id} stopped");
            return Ok(exit::INTERRUPTED);
        }
    }
    view.finish();
    let description = session.engine.describe(&id).await?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&description)?);
    } else {
        print!("{}", table::execution(&description));
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
    Ok(engine.begin(prepared).await?)
}

/// Shows commits as they come, until the execution is over.
async fn watch(session: &Session, id: &ExecutionId, view: &mut View) -> anyhow::Result<()> {
    let mut changes = session.engine.changes();
    let mut shown: Revision = 0;
    loop {
        changes.mark_unchanged();
        for commit in session.engine.commits_after(id, shown).await? {
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
        }
    }
}

fn parameters(given: &[(String, String)]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for (name, value) in given {
        if parameters.insert(name.clone(), value.clone()).is_some() {
            return Err(user(format!("parameter `{name}` is given twice")).into());
        }
    }
    Ok(parameters)
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

fn function_name(arn: &str) -> &str {
    let name = arn.rsplit_once(":function:").map_or(arn, |(_, name)| name);
    name.split(':').next().unwrap_or(name)
}
