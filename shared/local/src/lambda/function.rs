//! The configuration of a function: its code, its limits and the destinations of its results.
//!
//! The words and defaults are those of Lambda's `CreateFunction` and
//! `PutFunctionEventInvokeConfig`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use sidestep_core::name::FunctionName;

use super::error::HostError;
use super::limits::{MAX_RETRY_ATTEMPTS, MAX_TIMEOUT};
use crate::event_source::EventSource;

/// A function as it is registered.
///
/// [`FunctionConfig::new`] gives Lambda's defaults, except for retries.
#[derive(Debug, Clone)]
pub struct FunctionConfig {
    pub name: FunctionName,
    pub code: Code,
    /// The memory size, shown to the function and in its log; see [`Command`] for what it bounds.
    pub memory_mb: u32,
    /// The longest time of an invocation, 1 ms to 15 minutes. One that takes longer is killed.
    pub timeout: Duration,
    /// The digest of the code, which `GetFunctionConfiguration` reports as it is given here.
    pub code_sha256: String,
    /// The reserved concurrency: how many invocations of this function may run at one time.
    ///
    /// With `None` only the host's cap applies.
    pub max_concurrency: Option<usize>,
    /// What the function reaches beside the services of [`HostOptions::environment`].
    ///
    /// [`HostOptions::environment`]: super::HostOptions::environment
    pub network: Network,
    /// The queues whose messages invoke it.
    pub queues: Vec<EventSource>,
    /// The destination of the records of successful asynchronous invocations.
    pub on_success: Option<Destination>,
    /// The destination of the records of asynchronous invocations that failed for good.
    pub on_failure: Option<Destination>,
    /// How often a failed asynchronous invocation is tried again, 0 to 2.
    ///
    /// The default is 0, because callers here retry themselves.
    pub max_retry_attempts: u32,
    /// Whether one chain of requests may visit the function more than 16 times.
    pub recursive_loop: RecursiveLoop,
}

/// What a function reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Network {
    /// The embedded services.
    #[default]
    Embedded,
    /// Also AWS, with the user's profile, region and proxy. The embedded services stay embedded.
    Aws,
}

/// What happens at the 17th visit of a function by one chain of requests. The words are Lambda's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecursiveLoop {
    /// The function is invoked all the same.
    Allow,
    /// The event is dropped.
    ///
    /// It is recorded as failed if the function has a destination for failures, and lost otherwise.
    #[default]
    Terminate,
}

impl FunctionConfig {
    /// Makes a configuration with Lambda's defaults, and without retries.
    pub fn new(name: FunctionName, code: Code) -> Self {
        Self {
            name,
            code,
            memory_mb: 128,
            timeout: Duration::from_secs(3),
            code_sha256: String::new(),
            max_concurrency: None,
            network: Network::default(),
            queues: Vec::new(),
            on_success: None,
            on_failure: None,
            max_retry_attempts: 0,
            recursive_loop: RecursiveLoop::default(),
        }
    }

    /// Checks the numbers against Lambda's ranges.
    pub(super) fn check(&self) -> Result<(), HostError> {
        let refuse = |field, actual: String, allowed| {
            Err(HostError::OutOfRange { function: self.name.clone(), field, actual, allowed })
        };
        if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            return refuse("timeout", format!("{:?}", self.timeout), "over 0 s to 900 s");
        }
        if !(128..=10_240).contains(&self.memory_mb) {
            return refuse("memory_mb", self.memory_mb.to_string(), "128 to 10240");
        }
        if self.max_retry_attempts > MAX_RETRY_ATTEMPTS {
            return refuse("max_retry_attempts", self.max_retry_attempts.to_string(), "0 to 2");
        }
        if self.max_concurrency == Some(0) {
            return refuse("max_concurrency", "0".to_owned(), "1 or more");
        }
        Ok(())
    }
}

/// The code that runs when the function is invoked.
#[derive(Clone)]
pub enum Code {
    /// A process per environment, which speaks the Runtime API.
    Process(Command),
    /// A handler in the host's own process.
    ///
    /// It costs no process, so the host's concurrency cap does not apply, and it writes no log
    /// file.
    InProcess(Arc<dyn Handler>),
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(command) => f.debug_tuple("Process").field(command).finish(),
            Self::InProcess(_) => f.write_str("InProcess"),
        }
    }
}

/// How an environment of a function is started.
///
/// The process does not inherit the host's environment: it gets what Lambda sets, `PATH`, `HOME`
/// and `TMPDIR` of the host, then [`HostOptions::environment`](super::HostOptions), then
/// `environment`.
///
/// On Linux its private writable memory (`RLIMIT_DATA`) is bounded to `memory_mb` and 1 GiB of
/// headroom. That stops a runaway function and leaves room for memory that is reserved but hardly
/// used: thread stacks, allocator arenas, an unoptimised build. Address space (`RLIMIT_AS`) is not
/// bounded, because runtimes with a garbage collector reserve far more of it than they touch. The
/// host also measures the memory that the process holds for itself (`RssAnon`) while it works, and
/// kills it over `memory_mb`, as Lambda does.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// A path, or a name looked up in `PATH`.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// The folder that the process starts in, also its `LAMBDA_TASK_ROOT`. The default is the
    /// host's.
    pub working_dir: Option<PathBuf>,
    pub environment: BTreeMap<String, String>,
    /// Lambda's identifier of the runtime, such as `provided.al2023` or `python3.13`.
    pub runtime: String,
    /// The value of `_HANDLER`, such as `app.handler`.
    pub handler: String,
}

/// A destination of the records of asynchronous invocations.
#[derive(Clone)]
pub enum Destination {
    /// Another function of this host, invoked asynchronously with the record.
    Function(FunctionName),
    /// A closure in this process, which must not block.
    Sink(Arc<dyn Fn(Value) + Send + Sync>),
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(name) => f.debug_tuple("Function").field(name).finish(),
            Self::Sink(_) => f.write_str("Sink"),
        }
    }
}

/// A function in the host's own process.
///
/// Implemented for closures
/// `Fn(Value, InvocationMeta) -> impl Future<Output = Result<Value, FunctionError>>`.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Handles one event.
    ///
    /// The future is dropped at the function's timeout. A panic is reported like a crash.
    async fn handle(&self, event: Value, meta: InvocationMeta) -> Result<Value, FunctionError>;
}

#[async_trait]
impl<F, Fut> Handler for F
where
    F: Fn(Value, InvocationMeta) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Value, FunctionError>> + Send,
{
    async fn handle(&self, event: Value, meta: InvocationMeta) -> Result<Value, FunctionError> {
        self(event, meta).await
    }
}

/// What a handler learns about its invocation, besides the event.
#[derive(Debug, Clone)]
pub struct InvocationMeta {
    pub request_id: String,
    pub function_name: FunctionName,
    pub invoked_function_arn: String,
    pub trace_id: String,
    /// When the handler's future is dropped.
    pub deadline: SystemTime,
}

/// How a function failed, in the two words that Lambda reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{error_type}: {error_message}")]
#[serde(rename_all = "camelCase")]
pub struct FunctionError {
    /// The type, such as `Runtime.ExitError`, or the runtime's name of an exception.
    pub error_type: String,
    pub error_message: String,
}

impl FunctionError {
    /// Makes a failure of a function.
    pub fn new(error_type: impl Into<String>, error_message: impl Into<String>) -> Self {
        Self { error_type: error_type.into(), error_message: error_message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_outside_lambdas_range_is_refused() {
        let name = FunctionName::parse("step").unwrap();
        let good = FunctionConfig::new(name, Code::Process(Command::default()));
        assert!(good.check().is_ok());

        let cases = [
            FunctionConfig { timeout: Duration::ZERO, ..good.clone() },
            FunctionConfig { timeout: Duration::from_secs(901), ..good.clone() },
            FunctionConfig { memory_mb: 64, ..good.clone() },
            FunctionConfig { max_retry_attempts: 3, ..good.clone() },
            FunctionConfig { max_concurrency: Some(0), ..good.clone() },
        ];
        for case in cases {
            assert!(matches!(case.check(), Err(HostError::OutOfRange { .. })), "{case:?}");
        }
    }
}
