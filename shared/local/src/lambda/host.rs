//! The host itself: registers functions, accepts invocations, runs attempts, retries, shuts down.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, thread, time::Duration};

use bytes::Bytes;
use serde::de::IgnoredAny;
use tokio::{
    net::TcpListener,
    sync::{broadcast, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    api,
    destination::{self, Condition},
    environment::{self, Assignment, Done, EnvironmentHandle},
    error::{HostError, InvokeError},
    function::{Code, Command, FunctionConfig, FunctionName},
    in_process,
    invocation::{
        Failure, Function, Invocation, InvocationType, InvokeOutput, InvokeRequest, Job, Outcome,
        new_trace_id,
    },
    limits::{EVENT_PAYLOAD_BYTES, REQUEST_PAYLOAD_BYTES},
    log::{LogKey, LogLine, Logs},
    metrics::{Counts, Metrics},
    scheduler::{Place, Scheduler},
    watchdog::Watchdog,
};

/// Names an invocation's log by its function and payload; None for the default.
pub type LogKeyFn = Arc<dyn Fn(&FunctionName, &[u8]) -> Option<LogKey> + Send + Sync>;

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
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
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

/// Runs Lambda functions on this machine. Clones are one host.
#[derive(Debug, Clone)]
pub struct LambdaHost {
    shared: Arc<Shared>,
}

impl LambdaHost {
    /// Sets a host up. Must be called within a tokio runtime, on which the host then lives.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        let logs = Logs::new(
            options.log_folder.clone(),
            options.log_bytes_per_invocation,
            options.log_key.clone(),
        )?;
        let scheduler = Scheduler::new(options.max_concurrency, options.max_environments);
        let shared = Shared {
            logs: Arc::new(logs),
            scheduler,
            metrics: Metrics::default(),
            watchdog: Watchdog::start(),
            kill: CancellationToken::new(),
            options,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Adds a function, or replaces the one of that name: running attempts finish with the old code, events
    /// that are queued run with the code they were accepted for.
    pub fn register(&self, config: FunctionConfig) -> Result<(), HostError> {
        config.check()?;
        let HostOptions { region, account_id, .. } = &self.shared.options;
        let arn = format!("arn:aws:lambda:{region}:{account_id}:function:{}", config.name);
        self.shared.scheduler.register(Arc::new(Function { config, arn }));
        Ok(())
    }

    /// Serves the Lambda API for SDKs and the AWS CLI until `shutdown` resolves. Any signature is accepted, so
    /// the listener belongs on loopback.
    pub async fn serve_api(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        api::serve(self.shared.clone(), listener, shutdown).await
    }

    /// Invokes a function by name or ARN with a JSON payload.
    pub async fn invoke(
        &self,
        function: &str,
        payload: impl Into<Bytes>,
        invocation_type: InvocationType,
    ) -> Result<InvokeOutput, InvokeError> {
        let request = InvokeRequest {
            function: function.to_owned(),
            payload: payload.into(),
            invocation_type,
            client_context: None,
            trace_id: None,
        };
        self.invoke_with(request).await
    }

    /// Invokes a function with all that a request can say. The invocation goes on when the caller stops
    /// waiting. An `Event` twice runs twice.
    pub async fn invoke_with(&self, request: InvokeRequest) -> Result<InvokeOutput, InvokeError> {
        self.shared.metrics.operation("Invoke");
        self.shared.invoke(request).await
    }

    /// Reads the log of a recent request; older ones are found by their [`LogKey`].
    pub fn logs(&self, request_id: &str) -> std::io::Result<String> {
        let unknown = || std::io::Error::other("no recent request of this id wrote a log");
        self.logs_by_key(&self.shared.logs.key(request_id).ok_or_else(unknown)?)
    }

    /// Reads a log. Bytes that are not UTF-8 were replaced when it was written.
    pub fn logs_by_key(&self, key: &LogKey) -> std::io::Result<String> {
        std::fs::read_to_string(self.log_path(key))
    }

    /// Where the log of a key is, or will be.
    pub fn log_path(&self, key: &LogKey) -> PathBuf {
        self.shared.logs.path(key)
    }

    /// Follows the lines of all invocations from now on. A follower that lags by 4,096 lines misses some.
    pub fn follow_logs(&self) -> broadcast::Receiver<LogLine> {
        self.shared.logs.follow()
    }

    /// What the host has done so far.
    pub fn counts(&self) -> Counts {
        self.shared.metrics.counts()
    }

    /// Attempts that run now, events that wait, and environments that have a process.
    pub fn load(&self) -> (usize, usize, usize) {
        let (running, environments) = self.shared.scheduler.load();
        (running, self.shared.scheduler.queued(), environments)
    }

    /// Stops: refuses new work, drops queued events, waits up to `grace` for what runs and kills the rest.
    /// Returns when no process is left.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.scheduler.close();
        let deadline = Instant::now() + grace;
        loop {
            let changed = self.shared.scheduler.changed.notified();
            tokio::pin!(changed);
            // Registered before the check, so that no change is missed between the two.
            changed.as_mut().enable();
            if self.shared.scheduler.load() == (0, 0) {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(deadline), if !self.shared.kill.is_cancelled() => {
                    self.shared.kill.cancel();
                }
            }
        }
    }
}

/// What all tasks of a host share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: HostOptions,
    pub(super) scheduler: Scheduler,
    pub(super) logs: Arc<Logs>,
    pub(super) metrics: Metrics,
    pub(super) watchdog: Watchdog,
    /// Cancelled when a shutdown has run out of grace.
    pub(super) kill: CancellationToken,
}

impl Shared {
    pub(super) async fn invoke(
        self: &Arc<Self>,
        request: InvokeRequest,
    ) -> Result<InvokeOutput, InvokeError> {
        let output = |request_id: &str, status_code| InvokeOutput {
            request_id: request_id.to_owned(),
            status_code,
            payload: Bytes::new(),
            function_error: None,
            log_tail: String::new(),
        };
        match request.invocation_type {
            InvocationType::DryRun => {
                let invocation = self.accept(request, REQUEST_PAYLOAD_BYTES)?;
                Ok(output(&invocation.request_id, 204))
            }
            InvocationType::Event => Ok(output(&self.accept_event(request)?, 202)),
            InvocationType::RequestResponse => {
                let invocation = self.accept(request, REQUEST_PAYLOAD_BYTES)?;
                let admitted = self.scheduler.admit(&invocation.function);
                admitted.inspect_err(|error| self.count_throttle(error))?;
                let (waiting, outcome) = oneshot::channel();
                let job =
                    Job { invocation: invocation.clone(), attempt: 1, waiting: Some(waiting) };
                tokio::spawn(run(self.clone(), job));
                let outcome = outcome.await.map_err(|_| InvokeError::ShuttingDown)?;
                let (payload, function_error) = match outcome.result {
                    Ok(payload) => (payload, None),
                    Err(failure) => (failure.payload, Some("Unhandled")),
                };
                let log_tail = outcome.log_tail;
                Ok(InvokeOutput {
                    payload,
                    function_error,
                    log_tail,
                    ..output(&invocation.request_id, 200)
                })
            }
        }
    }

    /// Queues an event and returns its request id.
    pub(super) fn accept_event(
        self: &Arc<Self>,
        request: InvokeRequest,
    ) -> Result<Arc<str>, InvokeError> {
        let invocation = self.accept(request, EVENT_PAYLOAD_BYTES)?;
        let request_id = invocation.request_id.clone();
        let job = Job { invocation, attempt: 1, waiting: None };
        self.scheduler.enqueue(job).inspect_err(|error| self.count_throttle(error))?;
        self.dispatch();
        Ok(request_id)
    }

    /// Checks a request and gives it an id.
    fn accept(&self, request: InvokeRequest, limit: usize) -> Result<Arc<Invocation>, InvokeError> {
        let name = FunctionName::from_reference(&request.function)?;
        let not_found = || InvokeError::FunctionNotFound { function: request.function.clone() };
        let function = self.scheduler.function(&name).ok_or_else(not_found)?;
        let actual = request.payload.len();
        if actual > limit {
            return Err(InvokeError::RequestTooLarge { limit, actual });
        }
        let payload = match request.payload {
            payload if payload.is_empty() => Bytes::from_static(b"{}"),
            payload => payload,
        };
        serde_json::from_slice::<IgnoredAny>(&payload)
            .map_err(|source| InvokeError::InvalidRequestContent { source })?;
        Ok(Arc::new(Invocation {
            request_id: Uuid::new_v4().to_string().into(),
            function,
            payload,
            client_context: request.client_context,
            trace_id: request.trace_id.unwrap_or_else(new_trace_id),
            accepted_at: Instant::now(),
        }))
    }

    /// Starts every queued event that may run now.
    fn dispatch(self: &Arc<Self>) {
        while let Some(job) = self.scheduler.next() {
            tokio::spawn(run(self.clone(), job));
        }
    }

    fn count_throttle(&self, error: &InvokeError) {
        if matches!(error, InvokeError::TooManyRequests { .. }) {
            self.metrics.update(|counts| counts.throttles += 1);
        }
    }

    /// Answers who waits, or decides what follows an asynchronous attempt.
    fn settle(self: &Arc<Self>, job: Job, outcome: Outcome) {
        if let Some(waiting) = job.waiting {
            // The caller may have left.
            let _ = waiting.send(outcome);
            return;
        }
        let Job { invocation, attempt, .. } = job;
        let condition = match &outcome.result {
            Ok(_) => Condition::Success,
            Err(failure) if failure.is_shutdown => return,
            Err(_) if attempt <= invocation.function.config.max_retry_attempts => {
                let job = Job { invocation, attempt: attempt + 1, waiting: None };
                tokio::spawn(retry(self.clone(), job, outcome));
                return;
            }
            Err(_) => Condition::RetriesExhausted,
        };
        let record = destination::record(&invocation, condition, attempt, Some(&outcome.result));
        destination::deliver(self, &invocation, record, condition);
    }
}

/// Runs one attempt that has a place, from finding its environment to settling its outcome.
async fn run(shared: Arc<Shared>, job: Job) {
    let function = job.invocation.function.clone();
    let age = job.invocation.accepted_at.elapsed();
    if job.waiting.is_none() && age > shared.options.max_event_age {
        shared.scheduler.release(&function, None);
        let condition = Condition::EventAgeExceeded;
        let record = destination::record(&job.invocation, condition, job.attempt - 1, None);
        destination::deliver(&shared, &job.invocation, record, condition);
        shared.dispatch();
        return;
    }
    let name = function.config.name.clone();
    shared.metrics.update(|counts| *counts.invocations.entry(name).or_default() += 1);
    let (outcome, environment) = match &function.config.code {
        Code::InProcess(handler) => {
            (in_process::invoke(&shared, handler, &job.invocation).await, None)
        }
        Code::Process(command) => run_in_environment(&shared, command, &job.invocation).await,
    };
    if let Err(Failure { error_type, .. }) = &outcome.result {
        let error_type = error_type.clone();
        shared.metrics.update(|counts| *counts.errors.entry(error_type).or_default() += 1);
    }
    // Before the caller is told, so that its next request finds the place and the environment.
    shared.scheduler.release(&function, environment);
    shared.settle(job, outcome);
    shared.dispatch();
}

async fn run_in_environment(
    shared: &Arc<Shared>,
    command: &Command,
    invocation: &Arc<Invocation>,
) -> (Outcome, Option<EnvironmentHandle>) {
    loop {
        let (done, ended) = oneshot::channel();
        let assignment = Assignment { invocation: invocation.clone(), done };
        let environment = match shared.scheduler.place(&invocation.function) {
            Place::Warm(environment) => {
                if environment.assign(assignment).await.is_err() {
                    continue;
                }
                shared.metrics.update(|counts| counts.warm_starts += 1);
                environment
            }
            Place::Cold(id) => environment::start(shared, command, id, assignment).await,
        };
        match ended.await {
            Ok(Done::Alive(outcome)) => return (outcome, Some(environment)),
            Ok(Done::Gone(outcome)) => return (outcome, None),
            // A new environment always answers, so this ends when the idle ones are used up.
            Ok(Done::Undelivered) => {}
            Err(_) => {
                let message = "The environment ended unexpectedly";
                let failure = Failure::platform("Sandbox.Failure", &invocation.request_id, message);
                return (Outcome { result: Err(failure), log_tail: String::new() }, None);
            }
        }
    }
}

/// Queues the next attempt after its delay; an event that would be too old then fails now.
async fn retry(shared: Arc<Shared>, job: Job, last: Outcome) {
    let delay = shared.options.retry_delays[usize::from(job.attempt > 2)];
    let invocation = job.invocation.clone();
    let attempts = job.attempt - 1;
    let is_too_old = invocation.accepted_at.elapsed() + delay > shared.options.max_event_age;
    if !is_too_old {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = shared.kill.cancelled() => return,
        }
        if shared.scheduler.enqueue(job).is_ok() {
            shared.dispatch();
            return;
        }
    }
    let condition =
        if is_too_old { Condition::EventAgeExceeded } else { Condition::RetriesExhausted };
    let record = destination::record(&invocation, condition, attempts, Some(&last.result));
    destination::deliver(&shared, &invocation, record, condition);
}
