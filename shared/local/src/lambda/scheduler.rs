//! Decides when an event runs and where: queues, concurrency limits, and the pool of environments.
//!
//! It is plain data behind one lock, without I/O. Events wait per function and start in the order
//! in which they came, except that a function at its limit lets others pass. Synchronous requests
//! never wait. Environments are reused last in, first out, so that surplus ones grow old and are
//! retired.

mod end;
mod find;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};
use sidestep_core::name::FunctionName;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::environment_handle::EnvironmentHandle;
use super::error::InvokeError;
use super::function::Code;
use super::invocation::{Function, Job};
use super::limits::{IN_PROCESS_CONCURRENCY, QUEUED_BYTES, QUEUED_EVENT_OVERHEAD_BYTES};
use super::metrics::Load;

/// The queues, limits and idle environments of a host.
#[derive(Debug)]
pub(super) struct Scheduler {
    max_concurrency: AtomicUsize,
    /// Environments with a process, busy or idle.
    max_environments: usize,
    state: Mutex<State>,
    /// Notified when an attempt or an environment ends.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    functions: BTreeMap<FunctionName, Entry>,
    /// All code that was registered, by name and version: an execution keeps the code with which it
    /// began while newer code is registered.
    versions: BTreeMap<(FunctionName, String), Arc<Function>>,
    /// All attempts that run.
    running: usize,
    /// The attempts that run in processes, which the host's cap counts.
    running_processes: usize,
    /// Environments with a process, busy or idle.
    environments: usize,
    last_environment_id: u64,
    queued_bytes: usize,
    last_event: u64,
    /// Attempts whose outcome has not been passed on.
    settling: usize,
    /// Nothing begins in a process any more.
    is_draining: bool,
    is_closed: bool,
}

#[derive(Debug)]
struct Entry {
    function: Arc<Function>,
    queue: VecDeque<(u64, Job)>,
    running: usize,
    idle: Vec<EnvironmentHandle>,
    /// The function was removed. What runs ends, and what is queued still runs.
    is_gone: bool,
}

/// The environment for an attempt: an idle one, or one that is to be started.
#[derive(Debug)]
pub(super) enum StartType {
    Warm(EnvironmentHandle),
    /// An environment that is to be started under this id.
    Cold(u64),
}

impl Scheduler {
    pub(super) fn new(max_concurrency: usize, max_environments: usize) -> Self {
        let max_concurrency = AtomicUsize::new(max_concurrency);
        Self { max_concurrency, max_environments, state: Mutex::default(), changed: Notify::new() }
    }

    /// Bounds how many attempts run in processes at one time, from now on.
    pub(super) fn limit(&self, max_concurrency: usize) {
        self.max_concurrency.store(max_concurrency, Ordering::Relaxed);
    }

    /// Adds a function or replaces it. Idle environments of the old one end; its queued events
    /// stay.
    pub(super) fn register(&self, function: Arc<Function>) {
        let mut state = self.lock();
        let name = function.config.name.clone();
        state.versions.insert((name.clone(), function.version.clone()), function.clone());
        if let Some(entry) = state.functions.get_mut(&name) {
            entry.function = function;
            entry.idle.clear();
            entry.is_gone = false;
        } else {
            let (queue, idle) = (VecDeque::new(), Vec::new());
            let entry = Entry { function, queue, running: 0, idle, is_gone: false };
            state.functions.insert(name, entry);
        }
    }

    /// Takes a place for a synchronous attempt, which [`Scheduler::release`] gives back.
    pub(super) fn admit(&self, function: &Function) -> Result<(), InvokeError> {
        let name = &function.config.name;
        let mut state = self.lock();
        if state.is_closed || (state.is_draining && function.is_process()) {
            return Err(InvokeError::ShuttingDown);
        }
        let throttled = |reason| InvokeError::TooManyRequests { function: name.clone(), reason };
        let not_found = || InvokeError::FunctionNotFound { function: name.to_string() };
        let entry = state.functions.get(name).ok_or_else(not_found)?;
        if entry.running >= entry.limit() {
            return Err(throttled("ReservedFunctionConcurrentInvocationLimitExceeded"));
        }
        if function.is_process()
            && state.running_processes >= self.max_concurrency.load(Ordering::Relaxed)
        {
            return Err(throttled("ConcurrentInvocationLimitExceeded"));
        }
        state.occupy(function);
        Ok(())
    }

    /// Queues an event. [`Scheduler::next`] hands it out when there is a place.
    pub(super) fn enqueue(&self, job: Job) -> Result<(), InvokeError> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(InvokeError::ShuttingDown);
        }
        let name = job.invocation.function.config.name.clone();
        let bytes = job.queued_bytes();
        if state.queued_bytes + bytes > QUEUED_BYTES {
            let reason = "the queue of events is full";
            return Err(InvokeError::TooManyRequests { function: name, reason });
        }
        state.last_event += 1;
        let number = state.last_event;
        let not_found = || InvokeError::FunctionNotFound { function: name.to_string() };
        let entry = state.functions.get_mut(&name).ok_or_else(not_found)?;
        entry.queue.push_back((number, job));
        state.queued_bytes += bytes;
        Ok(())
    }

    /// Takes the oldest event that may run now, and a place for it.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        if state.is_closed {
            return None;
        }
        let is_host_full = state.running_processes >= self.max_concurrency.load(Ordering::Relaxed);
        let is_held = is_host_full || state.is_draining;
        let may_run = |entry: &&mut Entry| {
            entry.running < entry.limit() && !(entry.function.is_process() && is_held)
        };
        let oldest = state
            .functions
            .values_mut()
            .filter(may_run)
            .filter(|entry| !entry.queue.is_empty())
            .min_by_key(|entry| entry.queue.front().map(|(number, _)| *number))?;
        let (_, job) = oldest.queue.pop_front()?;
        state.queued_bytes -= job.queued_bytes();
        state.occupy(&job.invocation.function);
        Some(job)
    }

    /// Finds an environment for an attempt that has a place.
    ///
    /// It is the one that has been idle for the shortest time, or a new one. For a new one, the
    /// environment that has been idle for the longest time may have to go.
    pub(super) fn find_environment(&self, function: &Arc<Function>) -> StartType {
        let mut state = self.lock();
        let entry = state.functions.get_mut(&function.config.name);
        // An attempt of a replaced function keeps its own code, and gets a new environment.
        let current = entry.filter(|entry| Arc::ptr_eq(&entry.function, function));
        if let Some(environment) = current.and_then(|entry| entry.idle.pop()) {
            return StartType::Warm(environment);
        }
        if state.environments >= self.max_environments {
            let idle = state.functions.values_mut().filter(|entry| !entry.idle.is_empty());
            if let Some(entry) = idle.min_by_key(|entry| entry.idle[0].idle_since) {
                entry.idle.remove(0);
            }
        }
        state.environments += 1;
        state.last_environment_id += 1;
        StartType::Cold(state.last_environment_id)
    }

    /// Gives a place back, and the environment if it is still good.
    pub(super) fn release(&self, function: &Arc<Function>, environment: Option<EnvironmentHandle>) {
        let mut state = self.lock();
        let is_closed = state.is_closed;
        state.running -= 1;
        if function.is_process() {
            state.running_processes -= 1;
        }
        if let Some(entry) = state.functions.get_mut(&function.config.name) {
            entry.running -= 1;
            if let Some(mut environment) = environment
                && Arc::ptr_eq(&entry.function, function)
                && !is_closed
            {
                environment.idle_since = Instant::now();
                entry.idle.push(environment);
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Takes an environment out of the idle ones. Returns false if it is not among them.
    pub(super) fn retire(&self, name: &FunctionName, id: u64) -> bool {
        let mut state = self.lock();
        let Some(entry) = state.functions.get_mut(name) else { return false };
        let before = entry.idle.len();
        entry.idle.retain(|environment| environment.id != id);
        entry.idle.len() < before
    }

    /// Counts an environment as gone, after its process has ended.
    pub(super) fn environment_ended(&self) {
        self.lock().environments -= 1;
        self.changed.notify_waiters();
    }

    /// Returns what runs and waits now.
    pub(super) fn load(&self) -> Load {
        let state = self.lock();
        Load {
            running: state.running,
            queued: state.functions.values().map(|entry| entry.queue.len()).sum(),
            environments: state.environments,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    /// Counts an attempt of `function` as running.
    fn occupy(&mut self, function: &Function) {
        self.running += 1;
        if function.is_process() {
            self.running_processes += 1;
        }
        if let Some(entry) = self.functions.get_mut(&function.config.name) {
            entry.running += 1;
        }
    }
}

impl Entry {
    /// Returns how many attempts of the function may run at one time.
    fn limit(&self) -> usize {
        let default = if self.function.is_process() { usize::MAX } else { IN_PROCESS_CONCURRENCY };
        self.function.config.max_concurrency.unwrap_or(default)
    }
}

impl Function {
    fn is_process(&self) -> bool {
        matches!(self.config.code, Code::Process(_))
    }
}

impl Job {
    fn queued_bytes(&self) -> usize {
        self.invocation.payload.len() + QUEUED_EVENT_OVERHEAD_BYTES
    }
}
