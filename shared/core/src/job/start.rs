//! Calls of the job function: to start an attempt's job, to stop one, and to look at all of an
//! execution.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::execution::invocation::AttemptName;
use crate::name::{ExecutionId, StepName};

/// The jobs of an execution: who starts them, and with which role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JobSettings {
    /// The function that creates, describes and stops jobs.
    pub function_arn: String,
    /// The role of jobs whose steps give none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// How long to wait from one create call to the next, in milliseconds. The service takes one a
    /// second.
    #[serde(default)]
    pub pace_ms: u64,
}

/// An attempt's job, as the job function is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JobCall {
    pub execution_id: ExecutionId,
    pub step_name: StepName,
    pub attempt_count: u32,
    pub act: Act,
    /// How often the service has refused the call for now.
    #[serde(default)]
    pub tries: u32,
}

/// What the job function is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Act {
    /// Make the job by this request, or find that it exists.
    Create(Value),
    Stop,
}

/// The key of an event that is a call of the job function.
pub const JOB_KEY: &str = "Job";
/// The key of an event that asks the job function to look at the jobs of an execution.
pub const LOOK_KEY: &str = "LookAtJobs";

impl JobCall {
    /// Returns the attempt.
    pub fn attempt(&self) -> AttemptName {
        AttemptName {
            execution_id: self.execution_id.clone(),
            step_name: self.step_name.clone(),
            attempt_count: self.attempt_count,
        }
    }

    /// Returns the event of this call.
    pub fn event(&self) -> Value {
        json!({ JOB_KEY: self })
    }
}

/// What reaches the job function.
#[derive(Debug, Clone, PartialEq)]
pub enum JobEvent {
    Call(Box<JobCall>),
    /// Look at the jobs of an execution that run.
    Look(ExecutionId),
    /// The service says that a job with this name changed its state.
    Changed {
        name: String,
    },
    /// Nothing that the function has to handle, and why.
    Ignored(String),
}

/// Returns the event that asks the job function to look at an execution's jobs.
pub fn look_event(id: &ExecutionId) -> Value {
    json!({ LOOK_KEY: { "ExecutionId": id } })
}

/// Reads an event of the job function. Nothing of the service's event is believed but the name.
pub fn job_event(event: &Value) -> JobEvent {
    if let Some(call) = event.get(JOB_KEY) {
        return match JobCall::deserialize(call) {
            Ok(call) => JobEvent::Call(Box::new(call)),
            Err(error) => JobEvent::Ignored(format!("a call that cannot be read: {error}")),
        };
    }
    if let Some(look) = event.get(LOOK_KEY) {
        let id = look["ExecutionId"].as_str().and_then(|id| ExecutionId::parse(id).ok());
        let ignored = || JobEvent::Ignored("a look without an execution".to_owned());
        return id.map_or_else(ignored, JobEvent::Look);
    }
    let detail = &event["detail"];
    let mut members = crate::job::JobType::ALL.into_iter().map(|kind| kind.name_member);
    let name = members.find_map(|member| detail[member].as_str());
    match name {
        Some(name) => JobEvent::Changed { name: name.to_owned() },
        None => JobEvent::Ignored("an event that names no job".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_back_and_foreign_ones_are_ignored() {
        let id = ExecutionId::from_bytes([7; 16]);
        let call = JobCall {
            execution_id: id.clone(),
            step_name: StepName::parse("S").expect("a name"),
            attempt_count: 2,
            act: Act::Create(json!({"TrainingJobName": "n"})),
            tries: 0,
        };
        assert_eq!(job_event(&call.event()), JobEvent::Call(Box::new(call.clone())));
        assert_eq!(job_event(&look_event(&id)), JobEvent::Look(id));
        let event = json!({"source": "aws.sagemaker", "detail": {"ProcessingJobName": "n"}});
        assert_eq!(job_event(&event), JobEvent::Changed { name: "n".to_owned() });
        for event in
            [json!(null), json!({"Job": 1}), json!({"detail": {}}), json!({"LookAtJobs": []})]
        {
            assert!(matches!(job_event(&event), JobEvent::Ignored(_)), "{event}");
        }
    }
}
