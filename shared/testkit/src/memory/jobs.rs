//! The service of jobs in memory, whose jobs end when a test says so.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Map, Value, json};
use sidestep_core::job::JobType;
use sidestep_core::job::kind::FINAL_STATUSES;
use sidestep_core::job::refusal::Refused;
use sidestep_engine::ports::jobs::{Jobs, JobsError};

/// What happens to a call in place of its effect, or beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this code and message.
    Refused { status: u16, code: &'static str, message: &'static str },
    /// It does not arrive.
    Lost,
    /// It has its effect, and its answer does not arrive.
    AnswerLost,
}

/// A service that is as strict on names and states as SageMaker.
#[derive(Debug, Default)]
pub struct MemoryJobs {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The answers of Describe calls, by the operation that made the job and by its name.
    jobs: BTreeMap<(&'static str, String), Map<String, Value>>,
    faults: BTreeMap<String, VecDeque<Fault>>,
    calls: Vec<(String, Value)>,
}

impl MemoryJobs {
    /// Lets the next call of an operation meet a fault.
    pub fn fault(&self, operation: &str, fault: Fault) {
        self.lock().faults.entry(operation.to_owned()).or_default().push_back(fault);
    }

    /// Takes the calls since the last time, as operations and bodies.
    pub fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.lock().calls)
    }

    /// Returns the names of all jobs.
    pub fn names(&self) -> Vec<String> {
        self.lock().jobs.keys().map(|(_, name)| name.clone()).collect()
    }

    /// Returns the status of a job; `None` if there is no such job.
    pub fn status(&self, name: &str) -> Option<String> {
        let state = self.lock();
        let ((create, _), answer) = state.jobs.iter().find(|((_, known), _)| known == name)?;
        let kind = JobType::ALL.into_iter().find(|kind| kind.create == *create)?;
        answer.get(kind.status_member)?.as_str().map(str::to_owned)
    }

    /// Makes the job of another party, by the request of the step with this type.
    pub fn occupy(&self, operation: &str, body: &Value) {
        if let Some(kind) = JobType::ALL.into_iter().find(|kind| kind.create == operation) {
            self.lock().create(kind, body);
        }
    }

    /// Ends a job with a status and further members of its answer.
    pub fn end(&self, name: &str, status: &str, members: &Value) {
        let mut state = self.lock();
        for ((create, known), answer) in &mut state.jobs {
            let kind = JobType::ALL.into_iter().find(|kind| kind.create == *create);
            if let Some(kind) = kind.filter(|_| known == name) {
                answer.insert(kind.status_member.to_owned(), status.into());
                answer.extend(members.as_object().cloned().unwrap_or_default());
            }
        }
    }

    /// Deletes a job, as another party may.
    pub fn delete(&self, name: &str) {
        self.lock().jobs.retain(|(_, known), _| known != name);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn create(&mut self, kind: JobType, body: &Value) -> Value {
        let name = body[kind.name_member].as_str().unwrap_or_default();
        let arn = kind.arn("arn:aws:sagemaker:us-east-1:000000000000:pipeline/p", name);
        let mut answer = body.as_object().cloned().unwrap_or_default();
        answer.remove("Tags");
        answer.insert(kind.arn_member.to_owned(), arn.clone().into());
        answer.insert(kind.status_member.to_owned(), "InProgress".into());
        self.jobs.insert((kind.create, name.to_owned()), answer);
        json!({ kind.arn_member: arn })
    }

    fn answer(&mut self, operation: &str, body: &Value) -> Result<Value, Refused> {
        let refused = |code: &str, message: &str| {
            Err(Refused { status: 400, code: code.to_owned(), message: message.to_owned() })
        };
        let of = |kind: &JobType| {
            [Some(kind.create), Some(kind.describe), kind.stop].contains(&Some(operation))
        };
        let Some(kind) = JobType::ALL.into_iter().find(of) else {
            return refused("UnknownOperationException", "");
        };
        let name = body[kind.name_member].as_str().unwrap_or_default().to_owned();
        if name.is_empty() || name.len() > kind.name_chars {
            return refused("ValidationException", "1 validation error detected");
        }
        let key = (kind.create, name);
        if operation == kind.create {
            if self.jobs.contains_key(&key) {
                return refused("ResourceInUse", "job names must be unique within an account");
            }
            return Ok(self.create(kind, body));
        }
        let Some(answer) = self.jobs.get_mut(&key) else {
            return refused("ValidationException", "Requested resource not found.");
        };
        if operation == kind.describe {
            return Ok(Value::Object(answer.clone()));
        }
        let status = answer[kind.status_member].as_str().unwrap_or_default();
        if FINAL_STATUSES.contains(&status) {
            return refused(
                "ValidationException",
                "The request was rejected because of its status",
            );
        }
        answer.insert(kind.status_member.to_owned(), "Stopping".into());
        Ok(json!({}))
    }
}

#[async_trait]
impl Jobs for MemoryJobs {
    async fn call(&self, _: &str, operation: &str, body: &Value) -> Result<Value, JobsError> {
        let mut state = self.lock();
        state.calls.push((operation.to_owned(), body.clone()));
        let fault = state.faults.get_mut(operation).and_then(VecDeque::pop_front);
        let operation = operation.to_owned();
        let lost = |operation| JobsError::Unavailable { operation, source: "no answer".into() };
        match fault {
            Some(Fault::Refused { status, code, message }) => {
                let refused =
                    Refused { status, code: code.to_owned(), message: message.to_owned() };
                Err(JobsError::Refused { operation, refused })
            }
            Some(Fault::Lost) => Err(lost(operation)),
            Some(Fault::AnswerLost) => {
                let _lost = state.answer(&operation, body);
                Err(lost(operation))
            }
            None => {
                let answer = state.answer(&operation, body);
                answer.map_err(|refused| JobsError::Refused { operation, refused })
            }
        }
    }
}
