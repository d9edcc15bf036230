//! The job types: one row each says how a job is made, watched, stopped and compared.

use crate::definition::StepType;

/// A step type whose work is a job of SageMaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobType {
    pub step_type: StepType,
    /// The operation that makes it.
    pub create: &'static str,
    pub describe: &'static str,
    /// The operation that stops it; absent for what is made at once.
    pub stop: Option<&'static str>,
    /// The member of each request that names the job.
    pub name_member: &'static str,
    /// The longest name that the service takes.
    pub name_chars: usize,
    /// The member of a request with the role; absent if it has none at its top.
    pub role_member: Option<&'static str>,
    /// The members of the answer with the status and the ARN.
    pub status_member: &'static str,
    pub arn_member: &'static str,
    /// The part of the ARN before the name.
    pub arn_resource: &'static str,
    /// The members of the answer with the beginning and the end of the work.
    pub times: (&'static str, &'static str),
    /// The member of `Metadata` in SageMaker's list of steps.
    pub metadata: &'static str,
    /// The detail type of the event that tells of its end.
    pub event: Option<&'static str>,
    /// The members of a request that the cache key holds.
    pub compared: &'static [&'static str],
}

/// The statuses after which nothing happens to a job any more.
pub const FINAL_STATUSES: [&str; 3] = ["Completed", "Failed", "Stopped"];

const PROCESSING: JobType = JobType {
    step_type: StepType::Processing,
    create: "CreateProcessingJob",
    describe: "DescribeProcessingJob",
    stop: Some("StopProcessingJob"),
    name_member: "ProcessingJobName",
    name_chars: 63,
    role_member: Some("RoleArn"),
    status_member: "ProcessingJobStatus",
    arn_member: "ProcessingJobArn",
    arn_resource: "processing-job",
    times: ("ProcessingStartTime", "ProcessingEndTime"),
    metadata: "ProcessingJob",
    event: Some("SageMaker Processing Job State Change"),
    compared: &["AppSpecification", "Environment", "ProcessingInputs"],
};

const TRAINING: JobType = JobType {
    step_type: StepType::Training,
    create: "CreateTrainingJob",
    describe: "DescribeTrainingJob",
    stop: Some("StopTrainingJob"),
    name_member: "TrainingJobName",
    name_chars: 63,
    role_member: Some("RoleArn"),
    status_member: "TrainingJobStatus",
    arn_member: "TrainingJobArn",
    arn_resource: "training-job",
    times: ("TrainingStartTime", "TrainingEndTime"),
    metadata: "TrainingJob",
    event: Some("SageMaker Training Job State Change"),
    // SageMaker's list, and what names the work of a job without an algorithm.
    compared: &[
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
        "ModelPackageConfig",
        "ServerlessJobConfig",
    ],
};

impl JobType {
    pub const ALL: [Self; 2] = [PROCESSING, TRAINING];

    /// Returns the row of a step type; `None` if its work is no job that sidestep can start.
    pub fn of(step_type: StepType) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.step_type == step_type)
    }

    /// Returns the ARN of the job with this name, in the account and region of `like`, which is the
    /// ARN of any resource of SageMaker. The service writes names in lower case there.
    pub fn arn(&self, like: &str, name: &str) -> String {
        let place: Vec<_> = like.split(':').take(5).collect();
        format!("{}:{}/{}", place.join(":"), self.arn_resource, name.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_the_account_and_region_of_the_pipeline() {
        let kind = JobType::of(StepType::Training).expect("a job");
        let arn = kind.arn("arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p", "Pipe-X");
        assert_eq!(arn, "arn:aws:sagemaker:eu-west-1:123456789012:training-job/pipe-x");
        assert_eq!(JobType::of(StepType::Lambda), None);
    }
}
