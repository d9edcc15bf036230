//! `sidestep deploy`: builds and uploads code, changes the stack, publishes versions, registers
//! pipelines.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use sidestep_aws::deploy::{Proposal, ResourceEvent, Stack, Template};
use sidestep_core::uri::S3Uri;
use sidestep_deploy::blueprint::Architecture;
use sidestep_deploy::{CODE_TEMPLATE, synthesise};
use sidestep_engine::ports::objects::{Created, ObjectStore as _};

use super::register;
use crate::blueprint::{blueprint, stack_name};
use crate::output::confirm::{check_terminal, confirmed};
use crate::output::error::{CommandError, service, user};
use crate::output::exit_status::ExitStatus;
use crate::package::{Package, packages};
use crate::project::Project;
use crate::remote::{Account, Remote};

/// The stack that holds the bucket for code, one per account and region.
const CODE_STACK: &str = "sidestep-code";

#[derive(Debug, Args)]
pub(crate) struct DeployOptions {
    /// Change the stack without asking
    #[arg(long)]
    yes: bool,
    /// Instruction set of the functions, `arm64` or `x86_64` [default: `[deploy] architecture`]
    #[arg(long, value_parser = super::synth::architecture)]
    architecture: Option<Architecture>,
}

pub(crate) async fn deploy(
    project: Option<&Path>,
    options: &DeployOptions,
) -> Result<ExitStatus, CommandError> {
    let started = Instant::now();
    let project = Project::find(project)?;
    let mut blueprint = blueprint(&project, options.architecture)?;
    // First, because building takes long and missing credentials show at once.
    let account = Account::open().await?;
    // Emulators do not support metric math, and their alarms reach no person.
    if account.config.endpoint_url().is_some() && project.settings.deploy.alarms.is_none() {
        eprintln!(
            "note: no alarms are created at a custom endpoint; `[deploy] alarms = true` creates them"
        );
        blueprint.options.alarms = false;
    }
    let template = synthesise(&blueprint)?;
    let stack = stack_name(&project)?;
    let before = account.stacks.find(stack.as_str()).await?;
    let packages = packages(&project, blueprint.options.architecture)?;
    if before.is_none() && !options.yes {
        check_terminal()?;
    }
    let bucket = code_bucket(&account).await?;
    let mut parameters = BTreeMap::from([("CodeBucket".to_owned(), bucket.clone())]);
    let sent = upload(&account, &bucket, packages, &mut parameters).await?;
    eprintln!("{sent} of {} packages uploaded", parameters.len() - 1);
    let placed = place(&account, &bucket, template.to_string()).await?;
    let proposal = account.stacks.propose(stack.as_str(), &placed, &parameters).await?;
    let after = match (proposal, before) {
        (Some(proposal), _) => {
            show(&proposal);
            if !options.yes && !confirmed()? {
                account.stacks.discard(proposal).await?;
                eprintln!("nothing was changed");
                return Ok(ExitStatus::Succeeded);
            }
            account.stacks.apply(proposal, &mut say).await?
        }
        (None, Some(stack)) => {
            eprintln!("the stack needs no change");
            stack
        }
        (None, None) => {
            return Err(service("CloudFormation finds nothing to create in the template"));
        }
    };
    finish(&project, account, &after).await?;
    eprintln!("deployed in {:.1} s", started.elapsed().as_secs_f64());
    Ok(ExitStatus::Succeeded)
}

/// Publishes functions, registers pipelines and prints the buckets.
async fn finish(project: &Project, account: Account, stack: &Stack) -> Result<(), CommandError> {
    let remote = Remote::of(project, account, stack_name(project)?, stack)?;
    register::release(project, &remote).await?;
    register::pipelines(project, &remote).await?;
    for (name, bucket) in remote.buckets() {
        println!("s3://{name}/ is s3://{bucket}/");
    }
    Ok(())
}

/// Returns the bucket for code, which is created if need be.
async fn code_bucket(account: &Account) -> Result<String, CommandError> {
    let stack = if let Some(stack) = account.stacks.find(CODE_STACK).await? {
        stack
    } else {
        let template = Template::Text(CODE_TEMPLATE.to_owned());
        let proposal = account.stacks.propose(CODE_STACK, &template, &BTreeMap::new()).await?;
        let change = proposal.ok_or_else(|| service("the code's stack is empty"))?;
        account.stacks.apply(change, &mut say).await?
    };
    let bucket = stack.outputs.get("CodeBucket").cloned();
    bucket.ok_or_else(|| user(format!("stack `{CODE_STACK}` was not created by sidestep")))
}

/// Uploads packages that are not there yet, adds every key to `parameters`, and returns how many
/// were uploaded.
async fn upload(
    account: &Account,
    bucket: &str,
    packages: Vec<Package>,
    parameters: &mut BTreeMap<String, String>,
) -> Result<usize, CommandError> {
    let objects = account.objects();
    let mut sent = 0;
    for Package { parameter, key, zip } in packages {
        let uri = S3Uri::new(bucket, key.clone());
        // The key is a digest of the content, so an object that exists is the same.
        if objects.head(&uri).await?.is_none()
            && objects.create(&uri, zip.into(), "application/zip").await? == Created::New
        {
            sent += 1;
        }
        parameters.insert(parameter, key);
    }
    Ok(sent)
}

/// Returns the template for the request: as text, or in the bucket if it is too large for that.
async fn place(account: &Account, bucket: &str, text: String) -> Result<Template, CommandError> {
    if text.len() <= Template::TEXT_BYTES {
        return Ok(Template::Text(text));
    }
    let digest = sidestep_engine::ports::objects::sha256_hex(text.as_bytes());
    let key = format!("template/{}.json", digest.trim_start_matches("sha256:"));
    let uri = S3Uri::new(bucket, key.clone());
    account.objects().create(&uri, text.into_bytes().into(), "application/json").await?;
    let region = account.config.region().map(ToString::to_string).unwrap_or_default();
    Ok(Template::Url(match account.endpoints().s3 {
        Some(endpoint) => format!("{endpoint}/{bucket}/{key}"),
        None => format!("https://{bucket}.s3.{region}.amazonaws.com/{key}"),
    }))
}

/// Prints the changes of a proposal.
fn show(proposal: &Proposal) {
    let what = if proposal.is_new { "creates the stack" } else { "changes the stack" };
    eprintln!("this {what}, {} resources:", proposal.changes.len());
    for change in &proposal.changes {
        let replaced = match change.replacement.as_deref() {
            Some("True") => ", replaced",
            Some("Conditional") => ", maybe replaced",
            _ => "",
        };
        eprintln!(
            "  {:<7} {:<28} {}{replaced}",
            change.action, change.logical_id, change.resource_type
        );
    }
}

/// Prints what happened to a resource.
pub(crate) fn say(event: ResourceEvent) {
    let ResourceEvent { logical_id, resource_type, status, reason } = event;
    let why = match reason {
        Some(reason) if !reason.is_empty() => format!(": {reason}"),
        _ => String::new(),
    };
    eprintln!("{status:<20} {logical_id:<28} {resource_type}{why}");
}
