//! `sidestep doctor`: checks a project's stack and reports what is wrong.
//!
//! It writes one thing, a probe that goes through the stack as an event does: an object, or a
//! message if no pipeline is started by uploads. It removes what the probe leaves.

mod findings;
mod probe;

use std::path::Path;

use clap::Args;
use sidestep_aws::deploy::{DeadLetters, Releases, concurrency};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::ObjectStore as _;

use self::findings::Findings;
use super::redrive::QUEUES;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::remote::Remote;

/// With fewer concurrent functions than this, planner, trigger and steps wait for each other.
const CONCURRENCY: i32 = 20;

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
    // If the stack cannot be opened, its error is the finding.
    let remote = Remote::open(&project).await?;
    findings.right(&format!(
        "stack `{}` in {} of account {}",
        remote.stack, remote.region, remote.account_id
    ));
    stack(&remote, &mut findings).await?;
    data(&remote, &mut findings).await;
    functions(&project, &remote, &mut findings).await?;
    dead_letters(&remote, &mut findings).await;
    if !options.no_probe {
        probe::probe(&project, &remote, &mut findings).await;
    }
    println!("{} right, {} wrong", findings.right, findings.wrong);
    Ok(if findings.wrong == 0 { ExitStatus::Succeeded } else { ExitStatus::Failed })
}

/// Checks the stack's status and what was changed in it by hand.
async fn stack(remote: &Remote, findings: &mut Findings) -> Result<(), CommandError> {
    if let Some(stack) = remote.account.stacks.find(remote.stack.as_str()).await? {
        let is_settled = matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE");
        findings.check(is_settled, &format!("the stack is {}", stack.status), "deploy again");
    }
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
    match concurrency(&remote.account.config).await {
        Ok(found) => {
            let what = format!(
                "{} functions may run at once in this account and region, {} of them unreserved",
                found.limit, found.unreserved
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
