//! What all jobs share: folders, S3, variables, and how processes are kept apart.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use super::mounts::{self, Way};
use super::place::split;
use crate::jobs::options::JobsOptions;
use crate::lambda::Watchdog;
use crate::s3::S3Server;

/// The machine that jobs run on.
pub(crate) struct Machine {
    /// The folder with a folder for each running job.
    pub(super) folder: PathBuf,
    /// The state folder, which jobs may read and not change.
    pub(super) state: PathBuf,
    /// The folder of logs.
    pub(super) logs: PathBuf,
    pub(super) s3: S3Server,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) grace: Duration,
    /// Started with the first job.
    watchdog: OnceLock<Watchdog>,
    may_mount: bool,
    way: OnceLock<Way>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Machine {
    /// Takes the folder for the files of running jobs.
    pub(crate) fn new(folder: PathBuf, options: JobsOptions) -> Self {
        Self {
            // The kernel resolves links on the way to a mount.
            folder: std::fs::canonicalize(&folder).unwrap_or(folder),
            logs: options.state.join("logs"),
            state: std::fs::canonicalize(&options.state).unwrap_or(options.state),
            s3: options.s3,
            variables: options.variables,
            grace: options.grace,
            watchdog: OnceLock::new(),
            may_mount: options.may_mount,
            way: OnceLock::new(),
        }
    }

    /// Returns true if there are objects at a place in S3: one with this key, or some below it.
    pub(crate) async fn has_objects(&self, uri: &str) -> bool {
        let Ok((bucket, key)) = split(uri) else { return false };
        let found = self.s3.keys(bucket, key).await.unwrap_or_default();
        let folder = format!("{}/", key.trim_end_matches('/'));
        found.iter().any(|one| one == key || one.starts_with(&folder))
    }

    /// Returns how a job gets its `/opt/ml`. The first call tries it out.
    pub(super) fn way(&self) -> Way {
        *self.way.get_or_init(|| {
            if self.may_mount { mounts::possible(&self.folder) } else { Way::Rewrite }
        })
    }

    /// Returns the shell that ends the processes of jobs if this process is killed.
    pub(super) fn watchdog(&self) -> &Watchdog {
        self.watchdog.get_or_init(Watchdog::start)
    }
}
