//! How a job stands, and the failure that its end means for the step.

use serde_json::Value;

use crate::definition::StepType;
use crate::execution::commit::Failure;
use crate::failure::FailureType;
use crate::job::kind::JobType;

/// The state of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobState {
    Running,
    Completed,
    Failed(Failure),
    /// It was stopped by a request, which is a failure unless the execution stops.
    Stopped(Failure),
}

/// Returns the state that the answer of a Describe call tells.
pub fn state(kind: &JobType, answer: &Value) -> JobState {
    let status = answer[kind.status_member].as_str().unwrap_or_default();
    let reason = answer["FailureReason"].as_str().unwrap_or_default();
    match status {
        "Completed" => JobState::Completed,
        "Failed" => JobState::Failed(failure(kind, reason)),
        "Stopped" => stopped(answer["SecondaryStatus"].as_str().unwrap_or_default(), reason),
        "Deleting" | "DeleteFailed" => JobState::Failed(deleted()),
        _ => JobState::Running,
    }
}

/// Returns the failure of a job that does not exist any more.
pub fn deleted() -> Failure {
    Failure::new(FailureType::JobDeleted, "the job was deleted while the step waited for it")
}

/// Tells a stop by a request from a job that ran out of time, which is `Stopped`, too.
fn stopped(secondary: &str, reason: &str) -> JobState {
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    match secondary {
        "MaxRuntimeExceeded" | "MaxWaitTimeExceeded" => {
            JobState::Failed(Failure::new(FailureType::JobFailed, format!("{secondary}{reason}")))
        }
        _ => {
            let message = format!("job was stopped{reason}");
            JobState::Stopped(Failure::new(FailureType::JobStopped, message))
        }
    }
}

/// Returns the failure for the reason that a failed job gives. Its type is the one that retry
/// policies name.
fn failure(kind: &JobType, reason: &str) -> Failure {
    let has = |text: &str| reason.contains(text);
    // Policies for internal errors do not apply to these two.
    let is_search = matches!(kind.step_type, StepType::Tuning | StepType::AutoMl);
    let failure_type = if reason.starts_with("CapacityError:")
        || has("InsufficientCapacityError")
        || has("Insufficient capacity")
    {
        FailureType::JobCapacity
    } else if reason.starts_with("InternalServerError:") && !is_search {
        FailureType::JobInternalError
    } else if has("ResourceLimitExceeded") {
        FailureType::JobResourceLimit
    } else {
        FailureType::JobFailed
    };
    let message = if reason.is_empty() { "the job failed without a reason" } else { reason };
    Failure::new(failure_type, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_end_has_the_type_that_retry_policies_name() {
        let kind = JobType::of(StepType::Training).expect("a job");
        for (status, secondary, reason, expected) in [
            ("Failed", "", "CapacityError: Unable to provision", "SageMaker.CAPACITY_ERROR"),
            ("Failed", "", "ClientError: InsufficientCapacityError", "SageMaker.CAPACITY_ERROR"),
            ("Failed", "", "InternalServerError: We", "SageMaker.JOB_INTERNAL_ERROR"),
            ("Failed", "", "x ResourceLimitExceeded y", "SageMaker.RESOURCE_LIMIT"),
            ("Failed", "", "AlgorithmError: boom, exit code: 1", "Sidestep.JobFailed"),
            ("Failed", "", "", "Sidestep.JobFailed"),
            ("Stopped", "MaxRuntimeExceeded", "", "Sidestep.JobFailed"),
            ("Deleting", "", "", "Sidestep.JobDeleted"),
        ] {
            let answer = json!({"TrainingJobStatus": status, "SecondaryStatus": secondary,
                "FailureReason": reason});
            let JobState::Failed(failure) = state(&kind, &answer) else { panic!("{answer}") };
            assert_eq!(failure.error_type, expected, "{answer}");
        }
        let of = |status: &str| state(&kind, &json!({ "TrainingJobStatus": status }));
        assert!(matches!(of("Stopped"), JobState::Stopped(_)));
        assert_eq!(of("Completed"), JobState::Completed);
        for status in ["InProgress", "Stopping", "", "New"] {
            assert_eq!(of(status), JobState::Running, "{status}");
        }
    }
}
