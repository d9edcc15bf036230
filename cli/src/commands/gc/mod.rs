//! `sidestep gc`: removes old results, artifacts, logs, code and packages that nothing uses.

pub(crate) mod local;
mod stack;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sidestep_engine::read::garbage::Mode;

use self::local::{Freed, collect_code, collect_installed, collect_logs};
use self::stack::{collect_packages, collect_versions};
use super::cache::collect::{CollectOptions, collect};
use crate::cache_folder::cache_folder;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::remote::Remote;
use crate::session::Session;
use crate::target::Target;

/// How long at least what all projects share stays unused before it goes.
const SHARED: Duration = Duration::from_hours(24);

/// Collects what is old, in the state folder or in the stack.
pub(crate) async fn gc(
    project: Option<&Path>,
    target: Target,
    options: &CollectOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let session = target.open(&project).await?;
    let result = collected(&project, &session, target, options).await;
    session.close(Duration::ZERO).await;
    result
}

async fn collected(
    project: &Project,
    session: &Session,
    target: Target,
    options: &CollectOptions,
) -> Result<ExitStatus, CommandError> {
    let freed = match target {
        Target::Local => local_files(session, options).await?,
        Target::Aws => of_stack(project, options).await?,
    };
    collect(session, options, &freed).await
}

/// Collects what earlier deployments left in the account.
async fn of_stack(project: &Project, options: &CollectOptions) -> Result<Vec<Freed>, CommandError> {
    let remote = Remote::open(project).await?;
    let since = cut_off(options).duration_since(UNIX_EPOCH).unwrap_or_default();
    let cut_off_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let mut freed = collect_versions(project, &remote, cut_off_ms, mode(options)).await?;
    freed.extend(collect_packages(&remote, cut_off_ms, mode(options)).await?);
    Ok(freed)
}

fn mode(options: &CollectOptions) -> Mode {
    if options.dry_run { Mode::DryRun } else { Mode::Remove }
}

fn cut_off(options: &CollectOptions) -> SystemTime {
    SystemTime::now().checked_sub(options.older_than).unwrap_or(UNIX_EPOCH)
}

/// Collects files of the state folder, copies of code only if no other command may use them, and
/// packages that functions of all projects of this user were given.
async fn local_files(
    session: &Session,
    options: &CollectOptions,
) -> Result<Vec<Freed>, CommandError> {
    let (mode, cut_off) = (mode(options), cut_off(options));
    let ids = session.engine.executions().live().await?;
    let live: BTreeSet<String> = ids.iter().map(ToString::to_string).collect();
    let mut freed = collect_logs(&session.state, cut_off, &live, mode)?;
    if session.cloud.is_some() {
        freed.extend(collect_code(&session.state, cut_off, mode)?);
    } else {
        eprintln!("note: copies of code are left alone while another sidestep runs here");
    }
    let of_others = SystemTime::now().checked_sub(SHARED).unwrap_or(UNIX_EPOCH);
    freed.extend(collect_installed(&cache_folder()?, cut_off.min(of_others), mode)?);
    Ok(freed)
}
