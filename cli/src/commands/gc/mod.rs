//! `sidestep gc`: removes old results, artifacts, logs and copies of code that nothing uses.

pub(crate) mod local;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sidestep_engine::read::garbage::Mode;

use self::local::{Freed, collect_code, collect_logs};
use super::cache::collect::{CollectOptions, collect};
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::session::Session;
use crate::target::Target;

/// Collects what is old, in the state folder or in the stack.
pub(crate) async fn gc(
    project: Option<&Path>,
    target: Target,
    options: &CollectOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let session = target.open(&project).await?;
    let result = collected(&session, target, options).await;
    session.close(Duration::ZERO).await;
    result
}

async fn collected(
    session: &Session,
    target: Target,
    options: &CollectOptions,
) -> Result<ExitStatus, CommandError> {
    let freed = match target {
        Target::Local => local_files(session, options).await?,
        Target::Aws => Vec::new(),
    };
    collect(session, options, &freed).await
}

/// Collects files of the state folder; copies of code only if no other command may use them.
async fn local_files(
    session: &Session,
    options: &CollectOptions,
) -> Result<Vec<Freed>, CommandError> {
    let mode = if options.dry_run { Mode::DryRun } else { Mode::Remove };
    let now = SystemTime::now();
    let cut_off = now.checked_sub(options.older_than).unwrap_or(SystemTime::UNIX_EPOCH);
    let live = session.engine.executions().live().await?;
    let live: BTreeSet<String> = live.iter().map(ToString::to_string).collect();
    let mut freed = collect_logs(&session.state, cut_off, &live, mode)?;
    if session.cloud.is_some() {
        freed.extend(collect_code(&session.state, cut_off, mode)?);
    } else {
        eprintln!("note: copies of code are left alone while another sidestep runs here");
    }
    Ok(freed)
}
