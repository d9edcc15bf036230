//! `sidestep destroy`: deletes the stack. Table and buckets stay unless `--delete-data` is given.
//!
//! It works from names, so that it can also clean up after a stack that failed or is gone.

use std::path::Path;

use clap::Args;
use sidestep_aws::deploy::{Leftovers, Stack};
use sidestep_deploy::StackName;

use super::deploy::say;
use crate::blueprint::stack_name;
use crate::data::{Data, check_ours, refuse_foreign};
use crate::output::confirm::confirmed;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::remote::Account;

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
    let name = stack_name(&project)?;
    let account = Account::open().await?;
    let data = Data::of(&project, &account.place().await?)?;
    let stack = account.stacks.find(name.as_str()).await?;
    if let Some(stack) = &stack {
        check_ours(&name, stack)?;
    }
    let found = data.found(&account).await?;
    if options.delete_data {
        refuse_foreign(&found)?;
    }
    announce(&name, stack.as_ref(), &found, options.delete_data);
    let deletes = stack.is_some() || (options.delete_data && !found.is_empty());
    if deletes && !options.yes && !confirmed()? {
        eprintln!("nothing was changed");
        return Ok(ExitStatus::Succeeded);
    }
    // Also the shell of a proposal that was never applied.
    let removed = account.stacks.remove(name.as_str(), &mut say).await?;
    for (kind, physical) in &removed.left {
        eprintln!("note: {kind} `{physical}` cannot be deleted and stays; it is in no stack now");
    }
    if options.delete_data {
        data.delete(&account).await?;
    }
    Ok(ExitStatus::Succeeded)
}

/// Prints what is going to happen.
fn announce(name: &StackName, stack: Option<&Stack>, found: &Leftovers, deletes_data: bool) {
    match stack {
        Some(stack) => eprintln!("this deletes stack `{name}`, which is {}", stack.status),
        None => eprintln!("there is no stack `{name}` in this account and region"),
    }
    for data in found.ours() {
        let fate = match (stack, deletes_data) {
            (Some(_), true) => "and everything in",
            (Some(_), false) => "and keeps",
            (None, true) => "this deletes everything in",
            (None, false) => "what an earlier stack left stays (`--delete-data` deletes it):",
        };
        eprintln!("  {fate} {data}");
    }
}
