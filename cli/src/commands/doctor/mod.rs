//! `sidestep doctor`: checks a project's stack and reports what is wrong.
//!
//! It writes one thing, a probe that goes through the stack as an event does: an object, or a
//! message if no pipeline is started by uploads. It removes what the probe leaves.

mod findings;
mod probe;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use sidestep_aws::deploy::{DeadLetters, Releases, limits, state};
use sidestep_core::uri::S3Uri;
use sidestep_deploy::Place;
use sidestep_deploy::lint::lint;
use sidestep_deploy::lint::quotas::{Quotas, exceeded};
use sidestep_engine::ports::executions::ExecutionStore;
use sidestep_engine::ports::objects::ObjectStore as _;

use self::findings::Findings;
use super::list::refused;
use super::redrive::QUEUES;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::published::Published;
use crate::remote::Remote;
use crate::session::Session;
use crate::template::today;

/// With fewer concurrent functions than this, planner, trigger and steps wait for each other.
const CONCURRENCY: i32 = 20;

/// How many of the newest executions are looked at for triggers that started nothing.
const LOOKED_AT: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// Write nothing: do not send a test event through the stack
    #[arg(long)]
    no_probe: bool,
}

pub(crate) async fn doctor(
    project: Option<&Path>,
    options: &DoctorOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let mut findings = Findings::default();
    local(&project, &mut findings).await?;
    // If the stack cannot be opened, its error is the finding.
    let remote = Remote::open(&project).await?;
    findings.right(&format!(
        "stack `{}` in {} of account {}",
        remote.stack, remote.region, remote.account_id
    ));
    stack(&remote, &mut findings).await?;
    data(&remote, &mut findings).await;
    functions(&project, &remote, &mut findings).await?;
    refusals(remote.engine.executions(), "the stack", &mut findings).await?;
    dead_letters(&remote, &mut findings).await;
    if !options.no_probe {
        probe::probe(&project, &remote, &mut findings).await;
    }
    println!("{} right, {} wrong", findings.right, findings.wrong);
    Ok(if findings.wrong == 0 { ExitStatus::Succeeded } else { ExitStatus::Failed })
}

/// Checks what the embedded cloud has noted, if the project was ever run here.
async fn local(project: &Project, findings: &mut Findings) -> Result<(), CommandError> {
    let state = project.state_folder();
    if !state.is_dir() {
        return Ok(());
    }
    if let Some(published) = Published::read(&state)? {
        match published.stale {
            Some(why) => findings.wrong("the running `sidestep up` is stale", &why),
            None => findings.right("the running `sidestep up` serves the project's files"),
        }
    }
    let session = Session::read(project).await?;
    let checked = refusals(session.engine.executions(), "this machine", findings).await;
    session.close(Duration::ZERO).await;
    checked
}

/// Checks that no trigger has started nothing since its pipeline last started.
async fn refusals(
    executions: &dyn ExecutionStore,
    place: &str,
    findings: &mut Findings,
) -> Result<(), CommandError> {
    let mut started = BTreeSet::new();
    let mut count = 0;
    for line in executions.list(None, LOOKED_AT).await? {
        let (id, pipeline) = (&line.execution_id, &line.pipeline_name);
        match refused(&line) {
            Some(why) if !started.contains(pipeline) => {
                count += 1;
                let what = format!("{id} of pipeline `{pipeline}` started nothing: {why}");
                let hint = format!("fix that, then run `sidestep retry {id}`");
                findings.wrong(&what, &hint);
            }
            Some(_) => {}
            None => drop(started.insert(pipeline.clone())),
        }
    }
    if count == 0 {
        findings.right(&format!("the triggers on {place} start what they should"));
    }
    Ok(())
}

/// Checks the stack's status and what was changed in it by hand.
async fn stack(remote: &Remote, findings: &mut Findings) -> Result<(), CommandError> {
    if let Some(stack) = remote.account.stacks.find(remote.stack.as_str()).await? {
        let is_settled = matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE");
        let way_out = state(&stack.status).map_or("deploy again", |row| row.way_out);
        findings.check(is_settled, &format!("the stack is {}", stack.status), way_out);
    }
    template(remote, findings).await;
    match remote.account.stacks.drift(remote.stack.as_str()).await {
        Ok(None) => println!("note   changes made by hand cannot be detected here"),
        Ok(Some(drifted)) if drifted.is_empty() => {
            findings.right("every resource is as in the template");
        }
        Ok(Some(drifted)) => {
            for resource in drifted {
                let what = format!("resource `{}` is {}", resource.logical_id, resource.status);
                findings
                    .wrong(&what, "it was changed by hand: change it back, or change the template");
            }
        }
        Err(error) => findings.result::<CommandError>("drift", Err(error.into())),
    }
    Ok(())
}

/// Checks the template of the stack as `deploy` does before it sends one.
async fn template(remote: &Remote, findings: &mut Findings) {
    let text = match remote.account.stacks.template(remote.stack.as_str()).await {
        Ok(text) => text,
        Err(error) => return findings.result::<CommandError>("template", Err(error.into())),
    };
    let Ok(template) = serde_json::from_str(&text) else {
        println!("note   the template cannot be read here");
        return;
    };
    let Remote { account_id, region, .. } = remote;
    let place = Place { account_id: account_id.clone(), region: region.clone() };
    let mut problems = lint(&template, Some(&place), today(), true);
    if let Ok(limits) = limits(&remote.account.config, &remote.stack.function("planner")).await {
        let quotas = Quotas {
            concurrency: limits.concurrency,
            unreserved: limits.unreserved,
            planner_reserved: limits.reserved_by,
            code_bytes: limits.code_bytes,
            code_bytes_limit: limits.code_bytes_limit,
        };
        problems.extend(exceeded(&template, &quotas, 0));
    }
    if problems.is_empty() {
        findings.right("AWS takes everything in the template, also in half a year");
    }
    for problem in problems {
        findings.wrong(&problem.what, &problem.advice);
    }
}

/// Checks that the table and the buckets can be read.
async fn data(remote: &Remote, findings: &mut Findings) {
    let listed = remote.engine.executions().list(None, 1).await;
    findings.result(&format!("table `{}` can be read", remote.table), listed.map(drop));
    for (name, bucket) in remote.buckets() {
        let listed = remote.account.objects().list(&S3Uri::new(&bucket, ""), 1).await;
        // The limit of one object is reached in every bucket that is in use.
        let found = match listed {
            Err(sidestep_engine::ports::objects::StoreError::TooManyObjects { .. }) => Ok(()),
            listed => listed.map(drop),
        };
        findings.result(&format!("bucket `{bucket}` ({name}) can be read"), found);
    }
}

/// Checks that every function has a live version, and the account's concurrency.
async fn functions(
    project: &Project,
    remote: &Remote,
    findings: &mut Findings,
) -> Result<(), CommandError> {
    let releases = Releases::new(&remote.account.config);
    for name in project.settings.functions.keys() {
        let function = remote.stack.function(name);
        match releases.live(&function).await? {
            Some(version) => {
                findings.right(&format!("function `{function}` runs version {version}"));
            }
            None => {
                findings.wrong(&format!("function `{function}` has no version"), "deploy again");
            }
        }
    }
    match limits(&remote.account.config, &remote.stack.function("planner")).await {
        Ok(found) => {
            let what = format!(
                "{} functions may run at once in this account and region, {} of them unreserved",
                found.concurrency, found.unreserved
            );
            let hint = "ask for more with Service Quotas, `Concurrent executions` of Lambda";
            findings.check(found.unreserved >= CONCURRENCY, &what, hint);
        }
        Err(error) => findings.result::<CommandError>("quotas", Err(error.into())),
    }
    Ok(())
}

/// Checks that no messages are waiting in the dead-letter queues.
async fn dead_letters(remote: &Remote, findings: &mut Findings) {
    let letters = DeadLetters::new(&remote.account.sqs());
    for (queue, _) in QUEUES {
        let queue = format!("{}-{queue}", remote.stack);
        match letters.waiting(&queue).await {
            Ok(count) => {
                let hint = "fix the cause, which is in the logs of planner and trigger, then run `sidestep redrive --target aws`";
                findings.check(count == 0, &format!("{count} messages are in `{queue}`"), hint);
            }
            Err(error) => findings.result::<CommandError>(&queue, Err(error.into())),
        }
    }
}
