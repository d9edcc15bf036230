//! The jobs service: answers SageMaker's operations on jobs, and runs them.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::DropGuard;

use super::call::Call;
use super::describe::described;
use super::error::JobsError;
use super::images::Images;
use super::kind::JobKind;
use super::list;
use super::options::{JobListener, JobsOptions};
use super::record::{Record, State};
use super::registry::{self, created_arn, model_data};
use super::request::{self, image_use, take_tags};
use super::scheduler::Scheduler;
use super::shapes;
use super::store::Store;
use super::tags::tags;
use crate::lambda::{InvalidLogKey, LogKey};
use crate::s3::now_ms;

/// The answer to a request: the HTTP status and the body.
pub type JobsAnswer = (u16, Value);

/// The jobs service of a state folder. Clones share it, and jobs end with the last one.
#[derive(Debug, Clone)]
pub struct JobsServer {
    scheduler: Arc<Scheduler>,
    _end: Arc<DropGuard>,
}

impl JobsServer {
    /// Opens the store of jobs. Jobs that an earlier process left begin with [`JobsServer::start`].
    pub(crate) fn open(options: JobsOptions) -> Result<Self, JobsError> {
        let store = Store::open(&options.state.join("jobs.sqlite"))?;
        let scheduler = Arc::new(Scheduler::new(store, options)?);
        let end = Arc::new(scheduler.halt().drop_guard());
        Ok(Self { scheduler, _end: end })
    }

    /// Sets what stands in for images. Before that every image is refused.
    pub fn set_images(&self, images: Arc<dyn Images>) {
        self.scheduler.set_images(images);
    }

    /// Sets who hears of jobs that end: with events as EventBridge delivers them.
    pub fn set_listener(&self, listener: JobListener) {
        self.scheduler.set_listener(listener);
    }

    /// Runs the jobs that earlier processes left. The second call does nothing.
    pub fn start(&self) -> Result<(), JobsError> {
        self.scheduler.start()
    }

    /// Ends all running processes. Their jobs run again when the folder is served next.
    pub async fn shutdown(&self) {
        self.scheduler.shutdown().await;
    }

    /// Returns the name of a job's log in the folder of logs.
    pub fn log_key(kind: JobKind, name: &str) -> Result<LogKey, InvalidLogKey> {
        LogKey::parse(&format!("{}.{name}/algo-1", kind.log_name()))
    }

    /// Answers a request; `None` if the operation is not one on jobs.
    ///
    /// Operations on tags are answered for the ARNs of jobs alone.
    pub async fn answer(&self, operation: &str, body: &[u8]) -> Option<JobsAnswer> {
        let parsed: Result<Value, _> = serde_json::from_slice(body);
        let call = Call::parse(operation, parsed.as_ref().ok())?;
        let request = parsed.map_err(|error| JobsError::Serialization(error.to_string()));
        let (scheduler, operation) = (Arc::clone(&self.scheduler), operation.to_owned());
        let handle = tokio::runtime::Handle::current();
        let answered = tokio::task::spawn_blocking(move || {
            let _entered = handle.enter();
            let request = request?;
            shapes::check(&operation, &request)?;
            perform(&scheduler, &call, request)
        })
        .await;
        Some(match answered.unwrap_or(Err(JobsError::Interrupted)) {
            Ok(answer) => (200, answer),
            Err(error) => {
                if error.status() >= 500 {
                    tracing::error!(?error, "a request on jobs failed");
                }
                (error.status(), error.body())
            }
        })
    }
}

fn perform(scheduler: &Arc<Scheduler>, call: &Call, request: Value) -> Result<Value, JobsError> {
    let store = scheduler.store();
    let name = |kind: &JobKind| request[kind.member("Name")].as_str().unwrap_or_default();
    let found = |kind: &JobKind| store.get(*kind, name(kind))?.ok_or_else(JobsError::not_found);
    match call {
        Call::Create(kind) => create(scheduler, *kind, request),
        Call::Describe(kind) => Ok(described(&found(kind)?)),
        Call::List(kind) => list::page(*kind, store.all(*kind)?, &request),
        Call::Stop(kind) => {
            let record = found(kind)?;
            let status = record.state.status;
            if status.is_final() {
                let (words, status) = (kind.words(), status.word());
                return Err(JobsError::Validation(format!(
                    "The request was rejected because the {words} is in status {status}."
                )));
            }
            scheduler.stop(&record)?;
            Ok(json!({}))
        }
        Call::Delete(kind) => {
            let record = found(kind)?;
            if !record.state.status.is_final() {
                let (words, status) = (kind.words(), record.state.status.word());
                return Err(JobsError::Validation(format!(
                    "The request was rejected because the {words} is in status {status}: only jobs in a final status can be deleted."
                )));
            }
            store.delete(*kind, &record.name)?;
            Ok(json!({}))
        }
        Call::Registry(operation) => register(scheduler, operation, request),
        Call::AddTags | Call::DeleteTags | Call::ListTags => tags(store, call, &request),
    }
}

fn create(
    scheduler: &Arc<Scheduler>,
    kind: JobKind,
    mut request: Value,
) -> Result<Value, JobsError> {
    let tags = take_tags(&mut request)?;
    request::check(kind, &request)?;
    let wanted = image_use(kind, &request);
    scheduler.images()?.check(&wanted).map_err(JobsError::Validation)?;
    let name = request[kind.member("Name")].as_str().unwrap_or_default().to_owned();
    let mut state = State::default();
    let now = now_ms();
    state.next("Starting", "Preparing the instances for training", now);
    let record = Record { kind, name, request, state, created_ms: now, modified_ms: now };
    if !scheduler.store().create(&record, &tags)? {
        let (words, arn) = (kind.words(), record.arn());
        let first = words[..1].to_uppercase() + &words[1..];
        return Err(JobsError::InUse(format!(
            "{first} names must be unique within an AWS account and region, and a {words} with this name already exists ({arn})"
        )));
    }
    scheduler.spawn(&record);
    Ok(json!({ kind.member("Arn"): record.arn() }))
}

/// Performs an operation of the registry. Models are refused whose data is not there.
fn register(
    scheduler: &Arc<Scheduler>,
    operation: &str,
    mut request: Value,
) -> Result<Value, JobsError> {
    let is_create = operation.starts_with("Create");
    let tags = if is_create { take_tags(&mut request)? } else { Vec::new() };
    for uri in if is_create { model_data(&request) } else { Vec::new() } {
        if !scheduler.has_objects(&uri) {
            return Err(JobsError::Validation(format!("Could not find model data at {uri}.")));
        }
    }
    let answer = registry::perform(&scheduler.store().resources(), operation, request)?;
    if let Some(arn) = created_arn(&answer).filter(|_| is_create) {
        scheduler.store().add_tags(arn, &tags)?;
    }
    Ok(answer)
}
