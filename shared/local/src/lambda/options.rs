//! How a host is set up.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::log_key::LogKeyFn;
use crate::account::{ACCOUNT_ID, REGION};

/// How a host is set up. [`HostOptions::new`] gives the defaults.
#[derive(Clone)]
pub struct HostOptions {
    /// The folder for logs; created if it is missing.
    pub log_folder: PathBuf,
    /// Names the log of an invocation. None: `FUNCTION/REQUEST_ID`.
    pub log_key: Option<LogKeyFn>,
    /// What an invocation may write to its log, in bytes. Default 4 MiB.
    pub log_bytes_per_invocation: u64,
    /// Default `us-east-1`.
    pub region: String,
    /// Default `000000000000`.
    pub account_id: String,
    /// Set for every process beside what Lambda sets, such as `AWS_ENDPOINT_URL` and credentials.
    pub environment: BTreeMap<String, String>,
    /// The most processes that work at one time. Default: 4 per CPU.
    pub max_concurrency: usize,
    /// The most processes, busy or idle; past it the longest idle one goes. Default: 16 per CPU.
    pub max_environments: usize,
    /// An environment that is idle for this long is ended. Default 5 minutes.
    pub idle_timeout: Duration,
    /// A process that has not asked for an event by then is killed. Default 10 seconds, as on Lambda.
    pub init_timeout: Duration,
    /// Waits before the second and the third attempt. Default 1 and 2 minutes, as on Lambda.
    pub retry_delays: [Duration; 2],
    /// An event that waited for longer fails without another attempt. Default 6 hours, as on Lambda.
    pub max_event_age: Duration,
}

impl HostOptions {
    pub fn new(log_folder: impl Into<PathBuf>) -> Self {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        Self {
            log_folder: log_folder.into(),
            log_key: None,
            log_bytes_per_invocation: 4 * 1024 * 1024,
            region: REGION.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            environment: BTreeMap::new(),
            max_concurrency: 4 * cpus,
            max_environments: 16 * cpus,
            idle_timeout: Duration::from_mins(5),
            init_timeout: Duration::from_secs(10),
            retry_delays: [Duration::from_mins(1), Duration::from_mins(2)],
            max_event_age: Duration::from_hours(6),
        }
    }
}

impl fmt::Debug for HostOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not `environment`: it may hold credentials.
        f.debug_struct("HostOptions")
            .field("log_folder", &self.log_folder)
            .field("max_concurrency", &self.max_concurrency)
            .finish_non_exhaustive()
    }
}
