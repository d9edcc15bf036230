//! `sidestep deploy`: builds and uploads code, changes the stack, publishes versions, registers
//! pipelines.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use sidestep_aws::deploy::{
    BeforeDeploy, DeployError, Proposal, ResourceEvent, Stack, Template, limits, passing, state,
};
use sidestep_core::uri::S3Uri;
use sidestep_deploy::blueprint::Architecture;
use sidestep_deploy::lint::quotas::{Quotas, exceeded};
use sidestep_deploy::{CODE_TEMPLATE, Place, StackName, has_jobs};
use sidestep_engine::ports::objects::{Created, ObjectStore as _};

use super::register;
use crate::blueprint::{blueprint, stack_name};
use crate::data::{Data, check_ours, refuse_foreign};
use crate::output::confirm::{check_terminal, confirmed};
use crate::output::error::{CommandError, service, user};
use crate::output::exit_status::ExitStatus;
use crate::package::{Package, packages};
use crate::project::Project;
use crate::remote::{Account, Remote};
use crate::template::{checked, refuse};

/// The stack that holds the bucket for code, one per account and region.
pub(super) const CODE_STACK: &str = "sidestep-code";

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
    let place = account.place().await?;
    blueprint.place = Some(place.clone());
    let stack = stack_name(&project)?;
    let before = account.stacks.find(stack.as_str()).await?;
    if let Some(before) = &before {
        check_ours(&stack, before)?;
    }
    let exists = before.as_ref().is_some_and(is_good);
    let template = checked(&blueprint, exists)?;
    let planner = stack.function("planner");
    let quotas = quotas(&account, &planner).await;
    refuse(quotas.map_or_else(Vec::new, |quotas| exceeded(&template, &quotas, 0)))?;
    look_before(&project, &account, &place, &stack, before.as_ref()).await?;
    if !options.yes && before.as_ref().is_none_or(|stack| !is_good(stack)) {
        check_terminal()?;
    }
    let packages = packages(&project, blueprint.options.architecture, has_jobs(&blueprint))?;
    let size = packages.iter().map(|package| package.zip.len()).sum::<usize>();
    let bytes = i64::try_from(size).unwrap_or(i64::MAX);
    refuse(quotas.map_or_else(Vec::new, |quotas| exceeded(&template, &quotas, bytes)))?;
    let bucket = code_bucket(&account).await?;
    let mut parameters = BTreeMap::from([("CodeBucket".to_owned(), bucket.clone())]);
    let sent = upload(&account, &bucket, packages, &mut parameters).await?;
    eprintln!("{sent} of {} packages uploaded", parameters.len() - 1);
    let placed = place_template(&account, &bucket, &place, template.to_string()).await?;
    let change = Wanted { name: stack.as_str(), template: &placed, parameters: &parameters };
    let Some(after) = change.apply(&account, !options.yes).await? else {
        eprintln!("nothing was changed");
        return Ok(ExitStatus::Succeeded);
    };
    finish(&project, account, &after).await?;
    eprintln!("deployed in {:.1} s", started.elapsed().as_secs_f64());
    Ok(ExitStatus::Succeeded)
}

/// Says what is found of an earlier stack, and refuses names that are taken by others.
async fn look_before(
    project: &Project,
    account: &Account,
    place: &Place,
    name: &StackName,
    before: Option<&Stack>,
) -> Result<(), CommandError> {
    match before {
        Some(stack) if is_good(stack) => return Ok(()),
        Some(stack) => {
            let way_out = state(&stack.status).map_or("it is not known", |row| row.way_out);
            eprintln!("stack `{name}` is {}: {way_out}", stack.status);
        }
        None => {}
    }
    let found = Data::of(project, place)?.found(account).await?;
    refuse_foreign(&found)?;
    // CloudFormation imports by name what is there.
    for data in found.ours() {
        eprintln!("takes in {data}, which an earlier stack left with all that is in it");
    }
    Ok(())
}

/// Returns true if a template can be applied to the stack as it is.
fn is_good(stack: &Stack) -> bool {
    state(&stack.status).is_some_and(|row| row.deploy == BeforeDeploy::Update)
}

/// Returns the account's quotas, or says why they are not known.
async fn quotas(account: &Account, planner: &str) -> Option<Quotas> {
    match limits(&account.config, planner).await {
        Ok(limits) => Some(Quotas {
            concurrency: limits.concurrency,
            unreserved: limits.unreserved,
            planner_reserved: limits.reserved_by,
            code_bytes: limits.code_bytes,
            code_bytes_limit: limits.code_bytes_limit,
        }),
        Err(error) => {
            eprintln!("note: quotas are not checked: {}", CommandError::from(error).one_line());
            None
        }
    }
}

/// The number of times that a failure is tried again which passes by itself.
const REPEATS: usize = 2;

/// A template that a stack is to have.
struct Wanted<'w> {
    name: &'w str,
    template: &'w Template,
    parameters: &'w BTreeMap<String, String>,
}

impl Wanted<'_> {
    /// Applies the template and returns the stack. Returns `None` if the user does not want it.
    async fn apply(&self, account: &Account, asks: bool) -> Result<Option<Stack>, CommandError> {
        let Self { name, template, parameters } = self;
        for repeat in 0.. {
            let Some(proposal) = account.stacks.propose(name, template, parameters).await? else {
                let stack = account.stacks.find(name).await?;
                eprintln!("the stack needs no change");
                return stack.map(Some).ok_or_else(|| {
                    service("CloudFormation finds nothing to create in the template")
                });
            };
            show(&proposal);
            if repeat == 0 && asks && !confirmed()? {
                account.stacks.discard(proposal).await?;
                return Ok(None);
            }
            match account.stacks.apply(proposal, &mut say).await {
                Err(DeployError::Failed { reason: Some(reason), .. })
                    if repeat < REPEATS && passing(&reason).is_some() =>
                {
                    eprintln!("{reason}: this passes, so it is tried again in a moment");
                    account.stacks.pause(passing(&reason).unwrap_or_default()).await;
                }
                applied => return Ok(Some(applied?)),
            }
        }
        Err(service("the change was never applied"))
    }
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
    let found = account.stacks.find(CODE_STACK).await?.filter(is_good);
    let stack = if let Some(stack) = found {
        stack
    } else {
        let template = Template::Text(CODE_TEMPLATE.to_owned());
        let parameters = BTreeMap::new();
        let wanted = Wanted { name: CODE_STACK, template: &template, parameters: &parameters };
        let made = wanted.apply(account, false).await?;
        made.ok_or_else(|| service("the code's stack is empty"))?
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
async fn place_template(
    account: &Account,
    bucket: &str,
    place: &Place,
    text: String,
) -> Result<Template, CommandError> {
    if text.len() <= Template::TEXT_BYTES {
        return Ok(Template::Text(text));
    }
    let digest = sidestep_engine::ports::objects::sha256_hex(text.as_bytes());
    let key = format!("template/{}.json", digest.trim_start_matches("sha256:"));
    let uri = S3Uri::new(bucket, key.clone());
    account.objects().create(&uri, text.into_bytes().into(), "application/json").await?;
    let (region, suffix) = (&place.region, place.url_suffix());
    Ok(Template::Url(match account.endpoints().s3 {
        Some(endpoint) => format!("{endpoint}/{bucket}/{key}"),
        None => format!("https://{bucket}.s3.{region}.{suffix}/{key}"),
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
