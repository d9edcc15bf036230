//! `sidestep doctor`: looks at a project's stack and says what is wrong with it.
//!
//! It writes one thing, a probe: an object, or where no uploads are listened to a message, that takes an event's way through the stack. What the
//! probe leaves is removed.

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

/// Fewer functions at once than this make a stack wait for itself: planner, trigger and a few steps.
const CONCURRENCY: i32 = 20;

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// Write nothing: leave out the probe of an event's way
    #[arg(long)]
    no_probe: bool,
}

pub(crate) async fn doctor(
    project: Option<&Path>,
    options: &DoctorOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let mut findings = Findings::default();
    // What cannot be opened has said why; there is nothing behind it to look at.
    let remote = Remote::open(&project).await?;
    findings.right(&format!(
        "stack `{}` in {} of account {}",
        remote.stack, remote.region, remote.account_id
    ));
    stack(&remote, &mut findings).await?;
    data(&remote, &mut findings).await;
    functions(&project, &remote, &mut findings).await?;
    letters(&remote, &mut findings).await;
    if !options.no_probe {
        probe::probe(&project, &remote, &mut findings).await;
    }
    println!("{} right, {} wrong", findings.right, findings.wrong);
    Ok(if findings.wrong == 0 { ExitStatus::Succeeded } else { ExitStatus::Failed })
}

/// Its state, and what somebody changed in it by hand.
async fn stack(remote: &Remote, findings: &mut Findings) -> Result<(), CommandError> {
    if let Some(stack) = remote.account.stacks.find(remote.stack.as_str()).await? {
        let is_settled = matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE");
        findings.check(is_settled, &format!("the stack is {}", stack.status), "deploy again");
    }
    match remote.account.stacks.drift(remote.stack.as_str()).await {
        Ok(None) => println!("note   what was changed by hand cannot be told here"),
        Ok(Some(drifted)) if drifted.is_empty() => {
            findings.right("every resource is as the template says");
        }
        Ok(Some(drifted)) => {
            for resource in drifted {
                let what = format!("resource `{}` is {}", resource.logical_id, resource.status);
                findings.wrong(&what, "it was changed by hand: change it back, or the template");
            }
        }
        Err(error) => findings.result::<CommandError>("drift", Err(error.into())),
    }
    Ok(())
}

async fn data(remote: &Remote, findings: &mut Findings) {
    let listed = remote.engine.executions().list(None, 1).await;
    findings.result(&format!("table `{}` can be read", remote.table), listed.map(drop));
    for (name, bucket) in remote.buckets() {
        let found = remote.account.objects().list(&S3Uri::new(&bucket, ""), 1).await;
        // More than one object is as right as none.
        let found = match found {
            Err(sidestep_engine::ports::objects::StoreError::TooManyObjects { .. }) => Ok(()),
            found => found.map(drop),
        };
        findings.result(&format!("bucket `{bucket}` ({name}) can be read"), found);
    }
}

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

async fn letters(remote: &Remote, findings: &mut Findings) {
    let letters = DeadLetters::new(&remote.account.sqs());
    for (queue, _) in QUEUES {
        let queue = format!("{}-{queue}", remote.stack);
        match letters.waiting(&queue).await {
            Ok(count) => {
                let hint = "mend the cause, which the logs of planner and trigger tell; then `sidestep redrive --target aws`";
                findings.check(count == 0, &format!("{count} messages lie in `{queue}`"), hint);
            }
            Err(error) => findings.result::<CommandError>(&queue, Err(error.into())),
        }
    }
}
