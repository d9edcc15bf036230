//! `sidestep cache rm`: removes cached results.

use std::io::{BufRead as _, IsTerminal as _};

use clap::Args;
use sidestep_core::cache::key::CacheKey;
use sidestep_core::execution::commit::CacheEntry;
use sidestep_core::view::description::timestamp;

use super::entry::{pipeline, short};
use crate::output::error::{CommandError, user};
use crate::output::exit_status::ExitStatus;
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct RemoveOptions {
    #[command(flatten)]
    which: Which,
    /// Remove without asking
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Remove the entry whose key starts with these digits
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// Remove the results of this step
    #[arg(long)]
    step: Option<String>,
    /// Remove the results of this pipeline's executions
    #[arg(long)]
    pipeline: Option<String>,
    /// Remove the results of this execution: its id, its ARN, or `latest`
    #[arg(long, value_name = "EXEC")]
    execution: Option<String>,
    /// Remove all entries of the deployment
    #[arg(long)]
    all: bool,
}

pub(super) async fn remove(
    session: &Session,
    options: &RemoveOptions,
) -> Result<ExitStatus, CommandError> {
    let entries = chosen(session, &options.which).await?;
    let keys: Vec<CacheKey> = entries.iter().map(CacheEntry::key).collect();
    for (entry, key) in entries.iter().zip(&keys) {
        let (step, execution) = (&entry.source.step_name, &entry.source.execution_id);
        let made = timestamp(entry.created_at_ms);
        println!("{}  {step}  {}  {execution}  {made}", short(key), pipeline(entry));
    }
    let count = keys.len();
    if count > 0 && !options.yes && !is_confirmed(count) {
        eprintln!("nothing was removed");
        return Ok(ExitStatus::Succeeded);
    }
    session.engine.remove_cache_entries(&keys).await?;
    println!("{count} removed");
    Ok(ExitStatus::Succeeded)
}

async fn chosen(session: &Session, which: &Which) -> Result<Vec<CacheEntry>, CommandError> {
    let execution = match &which.execution {
        Some(text) => Some(session.execution(text).await?),
        None => None,
    };
    let mut entries = session.engine.cache_entries().await?;
    entries.retain(|entry| {
        which.key.as_ref().is_none_or(|digits| entry.key().as_str().starts_with(digits))
            && which.step.as_ref().is_none_or(|name| entry.source.step_name.as_str() == name)
            && which.pipeline.as_ref().is_none_or(|name| pipeline(entry) == name)
            && execution.as_ref().is_none_or(|id| entry.source.execution_id == *id)
    });
    match &which.key {
        Some(key) if entries.is_empty() => Err(user(format!("no key begins with `{key}`"))
            .hint("`sidestep cache list` shows the keys")),
        Some(key) if entries.len() > 1 => {
            let found = entries.len();
            Err(user(format!("{found} keys begin with `{key}`")).hint("give more digits"))
        }
        _ => Ok(entries),
    }
}

/// Asks the user on a terminal and returns the answer. A script has already decided.
fn is_confirmed(count: usize) -> bool {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
        return true;
    }
    eprintln!("remove {count} of them? [y/N]");
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
