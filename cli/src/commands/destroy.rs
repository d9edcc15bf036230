//! `sidestep destroy`: deletes the stack. Table and buckets stay unless `--delete-data` is given.

use std::path::Path;

use clap::Args;
use sidestep_aws::deploy::{empty_bucket, remove_table};

use super::deploy::say;
use crate::blueprint::{buckets, stack_name};
use crate::output::confirm::confirmed;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::remote::{Account, Remote};

#[derive(Debug, Args)]
pub(crate) struct DestroyOptions {
    /// Delete without asking
    #[arg(long)]
    yes: bool,
    /// Delete the table, the artifacts and the buckets that the stack created, for good
    #[arg(long)]
    delete_data: bool,
}

pub(crate) async fn destroy(
    project: Option<&Path>,
    options: &DestroyOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let account = Account::open().await?;
    let name = stack_name(&project)?;
    let Some(stack) = account.stacks.find(name.as_str()).await? else {
        eprintln!("there is no stack `{name}` in this account and region");
        return Ok(ExitStatus::Succeeded);
    };
    let remote = Remote::of(&project, account.clone(), name.clone(), &stack)?;
    let mut data = vec![remote.artifact_bucket.clone()];
    data.extend(buckets(&project)?.created.iter().map(|bucket| remote.bucket(bucket)));
    eprintln!("this deletes stack `{name}`");
    for bucket in &data {
        let fate = if options.delete_data { "and everything in" } else { "and keeps" };
        eprintln!("  {fate} s3://{bucket}/");
    }
    let fate = if options.delete_data { "and" } else { "and keeps" };
    eprintln!("  {fate} table {}", remote.table);
    if !options.yes && !confirmed()? {
        eprintln!("nothing was changed");
        return Ok(ExitStatus::Succeeded);
    }
    account.stacks.delete(name.as_str(), &mut say).await?;
    if options.delete_data {
        for bucket in &data {
            empty_bucket(&account.config, bucket).await?;
            eprintln!("deleted s3://{bucket}/");
        }
        remove_table(&account.config, &remote.table).await?;
        eprintln!("deleted table {}", remote.table);
    }
    Ok(ExitStatus::Succeeded)
}
