//! Runs jobs: as many at a time as the machine has cores, the others wait.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::container::{Ended, Machine, Outcome, run};
use super::describe::event;
use super::error::JobsError;
use super::images::Images;
use super::kind::JobKind;
use super::options::{JobListener, JobsOptions};
use super::record::{Record, State, Status};
use super::store::Store;
use crate::s3::now_ms;

/// How often a job is started: a job that takes the server down must not do so for ever.
const STARTS: u32 = 3;

/// Where the files of running jobs are, below the state folder.
const FOLDER: &str = "jobs";

/// The reason of a job that the service failed.
const INTERNAL: &str = "InternalServerError: We encountered an internal error. Please try again.";

/// The jobs of a store, and what runs them.
#[derive(Debug)]
pub(crate) struct Scheduler {
    store: Store,
    machine: Machine,
    images: OnceLock<Arc<dyn Images>>,
    listener: Listener,
    /// The jobs that have not ended, and how each is stopped.
    running: Mutex<HashMap<(JobKind, String), CancellationToken>>,
    cores: Semaphore,
    /// Ends everything, without a word in the store.
    halt: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
    started: OnceLock<()>,
}

#[derive(Default)]
struct Listener(OnceLock<JobListener>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listener({})", self.0.get().is_some())
    }
}

impl Scheduler {
    /// Makes a scheduler, and removes the files of jobs that an earlier process ran.
    pub(crate) fn new(store: Store, options: JobsOptions) -> Result<Self, JobsError> {
        let folder = options.state.join(FOLDER);
        clear(&folder)?;
        let cores = Semaphore::new(options.parallel.max(1));
        Ok(Self {
            store,
            machine: Machine::new(folder, options),
            images: OnceLock::new(),
            listener: Listener::default(),
            running: Mutex::default(),
            cores,
            halt: CancellationToken::new(),
            tasks: Mutex::default(),
            started: OnceLock::new(),
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn set_images(&self, images: Arc<dyn Images>) {
        // The first one stays.
        let _ = self.images.set(images);
    }

    pub(crate) fn set_listener(&self, listener: JobListener) {
        let _ = self.listener.0.set(listener);
    }

    /// Returns true if there are objects at a place in S3. Blocks.
    pub(crate) fn has_objects(&self, uri: &str) -> bool {
        tokio::runtime::Handle::current().block_on(self.machine.has_objects(uri))
    }

    /// Returns what stands in for images.
    pub(crate) fn images(&self) -> Result<&Arc<dyn Images>, JobsError> {
        self.images.get().ok_or_else(|| {
            JobsError::Validation("This server runs no jobs: it knows no images.".to_owned())
        })
    }

    /// Runs the jobs that earlier processes left.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), JobsError> {
        if self.started.set(()).is_err() {
            return Ok(());
        }
        for kind in JobKind::ALL {
            for record in self.store.all(kind)? {
                let is_known = self.running.lock().contains_key(&(kind, record.name.clone()));
                if !record.state.status.is_final() && !is_known {
                    self.spawn(&record);
                }
            }
        }
        Ok(())
    }

    /// Begins to run a job, or to wait until a core is free.
    pub(crate) fn spawn(self: &Arc<Self>, record: &Record) {
        let stop = CancellationToken::new();
        if record.state.status == Status::Stopping {
            stop.cancel();
        }
        let key = (record.kind, record.name.clone());
        self.running.lock().insert(key, stop.clone());
        let (scheduler, record) = (Arc::clone(self), record.clone());
        let task = {
            let (scheduler, record) = (Arc::clone(&scheduler), record.clone());
            async move { scheduler.work(&record, &stop).await }
        };
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            // A panic ends its own task only, and its job must not stay for ever.
            let ended = match tokio::spawn(task).await {
                Ok(ended) => ended,
                Err(error) => {
                    tracing::error!(%error, job = record.name, "a job's task ended too early");
                    Some(Ended::new(Outcome::Failed(INTERNAL.to_owned())))
                }
            };
            if let Some(ended) = ended {
                scheduler.finish(&record, ended);
            }
        });
    }

    /// Asks a job to end.
    pub(crate) fn stop(&self, record: &Record) -> Result<(), JobsError> {
        self.store.update(record.kind, &record.name, |state| {
            if !state.status.is_final() {
                state.status = Status::Stopping;
                state.next("Stopping", "Stopping the training job", now_ms());
            }
        })?;
        if let Some(stop) = self.running.lock().get(&(record.kind, record.name.clone())) {
            stop.cancel();
        }
        Ok(())
    }

    /// Ends all processes and waits for that.
    pub(crate) async fn shutdown(&self) {
        self.halt.cancel();
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        while tasks.join_next().await.is_some() {}
    }

    /// Returns what ends all processes soon.
    pub(crate) fn halt(&self) -> CancellationToken {
        self.halt.clone()
    }

    /// Runs a job to its end. Returns `None` if this process ends first.
    async fn work(self: Arc<Self>, record: &Record, stop: &CancellationToken) -> Option<Ended> {
        let _core = tokio::select! {
            biased;
            () = self.halt.cancelled() => return None,
            () = stop.cancelled() => return Some(Ended::new(Outcome::Stopped)),
            core = self.cores.acquire() => core.ok()?,
        };
        let images = Arc::clone(self.images.get()?);
        let update = |change: &dyn Fn(&mut State)| {
            let changed = self.store.update(record.kind, &record.name, |state| change(state));
            if let Err(error) = &changed {
                tracing::warn!(%error, job = record.name, "could not record a job's progress");
            }
            changed.ok().flatten()
        };
        let started = update(&|state| {
            state.starts += 1;
            state.started_ms.get_or_insert_with(now_ms);
        });
        let starts = started.map_or(1, |record| record.state.starts);
        if starts > STARTS {
            return Some(Ended::new(Outcome::Failed(INTERNAL.to_owned())));
        }
        let said = |status: &str, message: &str| {
            update(&|state| {
                if state.status == Status::InProgress {
                    state.next(status, message, now_ms());
                }
            });
        };
        tokio::select! {
            biased;
            () = self.halt.cancelled() => None,
            ended = run(&self.machine, record, &images, stop, starts, &said) => Some(ended),
        }
    }

    /// Records a job's end and tells the listener.
    fn finish(&self, record: &Record, ended: Ended) {
        let (status, secondary, failure) = match ended.outcome {
            Outcome::Completed => (Status::Completed, "Completed", None),
            Outcome::Failed(reason) => (Status::Failed, "Failed", Some(reason)),
            Outcome::Stopped => (Status::Stopped, "Stopped", None),
            Outcome::OutOfTime(reason) => (Status::Stopped, "MaxRuntimeExceeded", Some(reason)),
        };
        let now = now_ms();
        let finished = self.store.update(record.kind, &record.name, |state| {
            let message = failure.clone().unwrap_or_else(|| message(secondary).to_owned());
            state.next(secondary, &message, now);
            if let Some(last) = state.transitions.last_mut() {
                last.end_ms = Some(now);
            }
            state.status = status;
            state.ended_ms = Some(now);
            state.failure = failure;
            state.exit_message = ended.exit_message;
            state.metrics = ended.metrics;
        });
        self.running.lock().remove(&(record.kind, record.name.clone()));
        match finished {
            Ok(Some(record)) => {
                if let Some(listener) = self.listener.0.get() {
                    listener(event(&record));
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, job = record.name, "could not record the end of a job");
            }
        }
    }
}

fn message(secondary: &str) -> &'static str {
    match secondary {
        "Completed" => "Training job completed",
        "Stopped" => "Training job stopped",
        _ => "",
    }
}

/// Removes what the jobs of an earlier process left.
fn clear(folder: &Path) -> Result<(), JobsError> {
    let failed =
        |operation| move |source| JobsError::Io { operation, path: folder.to_owned(), source };
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            // A process may still be ending there.
            tracing::debug!(%error, "could not remove the files of earlier jobs");
        }
        _ => {}
    }
    std::fs::create_dir_all(folder).map_err(failed("create"))
}
