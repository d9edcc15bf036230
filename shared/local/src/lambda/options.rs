//! The options of a Lambda host.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::log_key::LogKeyFn;
use crate::account::{ACCOUNT_ID, REGION};
use crate::guard::Guards;
use crate::tracer::Tracer;

/// The options of a Lambda host. [`HostOptions::new`] gives the defaults.
#[derive(Clone)]
pub struct HostOptions {
    /// The folder for logs, which is created if it is missing.
    pub log_folder: PathBuf,
    /// Names the log of an invocation. The default is `FUNCTION/REQUEST_ID`.
    pub log_key: Option<LogKeyFn>,
    /// How many bytes an invocation may write to its log. The default is 4 MiB.
    pub log_bytes_per_invocation: u64,
    /// The default is `us-east-1`.
    pub region: String,
    /// The default is `000000000000`.
    pub account_id: String,
    /// Variables of every process, beside those that Lambda sets.
    ///
    /// Such as `AWS_ENDPOINT_URL` and credentials.
    pub environment: BTreeMap<String, String>,
    /// The state folder, which has the functions' code and the environments' files.
    ///
    /// Without one processes see the machine as it is.
    pub(crate) state: Option<PathBuf>,
    /// Traces what the functions' processes do. Each of them gets an access key of its own.
    pub(crate) tracer: Option<Tracer>,
    /// Decides who may invoke and describe functions.
    pub(crate) guards: Guards,
    /// How many processes may work at one time. The default is 4 per CPU.
    pub max_concurrency: usize,
    /// How many processes may initialise at one time. The default is one per CPU.
    ///
    /// Others wait, and their time does not count. Lambda gives each environment a share of a CPU
    /// of its own.
    pub max_starts: usize,
    /// How many processes there may be, busy or idle. The default is 16 per CPU.
    ///
    /// For one more, the process that has been idle for the longest time is ended.
    pub max_environments: usize,
    /// The time after which an idle environment is ended. The default is 5 minutes.
    pub idle_timeout: Duration,
    /// How soon a process must ask for an event, else it is killed and its initialisation begins
    /// once more, within the function's own timeout. The default is 10 seconds, as on Lambda.
    pub init_timeout: Duration,
    /// The waits before the second and third attempt. The defaults are 1 and 2 minutes, as on
    /// Lambda.
    pub retry_delays: [Duration; 2],
    /// The age at which an event fails without another attempt. The default is 6 hours, as on
    /// Lambda.
    pub max_event_age: Duration,
}

impl HostOptions {
    /// Makes options with the defaults.
    pub fn new(log_folder: impl Into<PathBuf>) -> Self {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        Self {
            log_folder: log_folder.into(),
            log_key: None,
            log_bytes_per_invocation: 4 * 1024 * 1024,
            region: REGION.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            environment: BTreeMap::new(),
            state: None,
            tracer: None,
            guards: Guards::default(),
            max_concurrency: 4 * cpus,
            max_starts: cpus,
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
        // `environment` is left out, because it may hold credentials.
        f.debug_struct("HostOptions")
            .field("log_folder", &self.log_folder)
            .field("max_concurrency", &self.max_concurrency)
            .finish_non_exhaustive()
    }
}
