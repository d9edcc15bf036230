//! A stack's data in an account, by name: the table and the buckets, which outlive the stack.

use sidestep_aws::deploy::{Leftovers, Stack, empty_bucket, leftovers, remove_table};
use sidestep_deploy::{DESCRIPTION, Place, StackName};

use crate::blueprint::{buckets, stack_name};
use crate::output::error::{CommandError, user};
use crate::project::Project;
use crate::remote::Account;

/// The names of a stack's data.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    pub(crate) table: String,
    pub(crate) buckets: Vec<String>,
}

impl Data {
    /// Returns the names that the project's data have in an account. They do not depend on a stack.
    pub(crate) fn of(project: &Project, place: &Place) -> Result<Self, CommandError> {
        let (stack, known) = (stack_name(project)?, buckets(project)?);
        let Place { account_id, region } = place;
        let mut names = vec![format!("{stack}-artifacts-{account_id}-{region}")];
        let created = known.created.iter();
        names.extend(created.map(|name| known.account_name(name, &stack, account_id, region)));
        Ok(Self { table: stack.to_string(), buckets: names })
    }

    /// Returns what of it is there.
    pub(crate) async fn found(&self, account: &Account) -> Result<Leftovers, CommandError> {
        let s3 = account.s3();
        Ok(leftovers(&account.config, &s3, &self.table, &self.buckets).await?)
    }

    /// Deletes what of it is there and sidestep's, and says so.
    pub(crate) async fn delete(&self, account: &Account) -> Result<(), CommandError> {
        let found = self.found(account).await?;
        refuse_foreign(&found)?;
        for (bucket, _) in &found.buckets {
            empty_bucket(&account.s3(), bucket).await?;
            eprintln!("deleted s3://{bucket}/");
        }
        if let Some((table, _)) = &found.table {
            remove_table(&account.config, table).await?;
            eprintln!("deleted table {table}");
        }
        Ok(())
    }
}

/// Refuses names that belong to others.
pub(crate) fn refuse_foreign(found: &Leftovers) -> Result<(), CommandError> {
    let foreign = found.foreign();
    if foreign.is_empty() {
        return Ok(());
    }
    let problem = format!("{} exists and was not made by sidestep", foreign.join(" and "));
    Err(user(problem).hint("choose another `[deploy] stack`"))
}

/// Refuses a stack that sidestep did not make. One that failed has no outputs, so its description
/// tells as well.
pub(crate) fn check_ours(name: &StackName, stack: &Stack) -> Result<(), CommandError> {
    let has_outputs =
        ["TableName", "ArtifactBucket"].iter().all(|output| stack.outputs.contains_key(*output));
    if has_outputs || stack.description == DESCRIPTION {
        return Ok(());
    }
    let problem = format!("stack `{name}` was not created by sidestep");
    Err(user(problem).hint("choose another `[deploy] stack`"))
}
