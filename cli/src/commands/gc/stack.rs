//! What deployments leave behind: replaced versions of functions, and code in the bucket for code.

use std::path::PathBuf;

use sidestep_aws::deploy::{Versions, remove_package, stored_packages};
use sidestep_engine::read::garbage::Mode;

use super::local::Freed;
use crate::commands::deploy::CODE_STACK;
use crate::output::error::CommandError;
use crate::project::Project;
use crate::remote::Remote;

/// Removes versions that were replaced before the cut-off, and that no alias and no execution names
/// that runs, or began since.
pub(super) async fn collect_versions(
    project: &Project,
    remote: &Remote,
    cut_off_ms: u64,
    mode: Mode,
) -> Result<Vec<Freed>, CommandError> {
    let versions = Versions::new(&remote.account.config);
    // Before the versions: an execution that begins meanwhile takes those that are live now.
    let pinned = remote.engine.pinned_functions(cut_off_ms).await?;
    let mut freed = Vec::new();
    for name in project.settings.functions.keys() {
        for old in versions.replaced(&remote.stack.function(name)).await? {
            if old.replaced_at_ms >= cut_off_ms || pinned.contains(&old.arn) {
                continue;
            }
            if mode == Mode::Remove {
                versions.delete(&old).await?;
            }
            let path = PathBuf::from(format!("{}:{}", old.function_name, old.version));
            freed.push(Freed { path, bytes: old.code_bytes });
        }
    }
    Ok(freed)
}

/// Removes code and templates that were uploaded before the cut-off and that no stack of the
/// account names. A deployment that needs such code again uploads it again.
pub(super) async fn collect_packages(
    remote: &Remote,
    cut_off_ms: u64,
    mode: Mode,
) -> Result<Vec<Freed>, CommandError> {
    let stack = remote.account.stacks.find(CODE_STACK).await?;
    let bucket = stack.and_then(|stack| stack.outputs.get("CodeBucket").cloned());
    let Some(bucket) = bucket else { return Ok(Vec::new()) };
    let Some(used) = remote.account.stacks.values_in_use().await? else {
        eprintln!("note: code in s3://{bucket}/ is left alone while a stack changes or is stuck");
        return Ok(Vec::new());
    };
    let s3 = remote.account.s3();
    let mut freed = Vec::new();
    for package in stored_packages(&s3, &bucket).await? {
        let is_ours = ["code/", "template/"].iter().any(|begin| package.key.starts_with(begin));
        if !is_ours || package.written_at_ms >= cut_off_ms || used.contains(&package.key) {
            continue;
        }
        if mode == Mode::Remove {
            remove_package(&s3, &bucket, &package).await?;
        }
        let path = PathBuf::from(format!("s3://{bucket}/{}", package.key));
        freed.push(Freed { path, bytes: package.bytes });
    }
    Ok(freed)
}
