//! The kinds of jobs: what each is called in requests, ARNs, events and logs.

use serde::{Deserialize, Serialize};

use crate::account::{ACCOUNT_ID, REGION};

/// A kind of job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum JobKind {
    Processing,
    Training,
}

impl JobKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Processing, Self::Training];

    /// Returns the noun in names of operations and members: `ProcessingJob`.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Processing => "ProcessingJob",
            Self::Training => "TrainingJob",
        }
    }

    /// Returns the words of the noun in texts: `processing job`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Processing => "processing job",
            Self::Training => "training job",
        }
    }

    /// Returns the `detail-type` of its events.
    pub(crate) fn detail_type(self) -> &'static str {
        match self {
            Self::Processing => "SageMaker Processing Job State Change",
            Self::Training => "SageMaker Training Job State Change",
        }
    }

    /// Returns a member that begins with the noun, such as `ProcessingJobStatus`.
    pub(crate) fn member(self, rest: &str) -> String {
        format!("{}{rest}", self.noun())
    }

    /// Returns the member of its end: `ProcessingEndTime`.
    pub(crate) fn end_member(self) -> &'static str {
        match self {
            Self::Processing => "ProcessingEndTime",
            Self::Training => "TrainingEndTime",
        }
    }

    /// Returns the member of its start: `ProcessingStartTime`.
    pub(crate) fn start_member(self) -> &'static str {
        match self {
            Self::Processing => "ProcessingStartTime",
            Self::Training => "TrainingStartTime",
        }
    }

    /// Returns the ARN of a job.
    pub fn arn(self, name: &str) -> String {
        let resource = self.words().replace(' ', "-");
        format!("arn:aws:sagemaker:{REGION}:{ACCOUNT_ID}:{resource}/{name}")
    }

    /// Returns the log group of its jobs in CloudWatch Logs.
    pub fn log_group(self) -> String {
        format!("/aws/sagemaker/{}s", self.noun())
    }

    /// Returns the first part of the names of its log files.
    pub(crate) fn log_name(self) -> String {
        format!("{}s", self.noun())
    }

    /// Returns the word of the kind in the store.
    pub(crate) fn stored(self) -> &'static str {
        self.noun()
    }

    /// Returns the kind that a word of the store means.
    pub(crate) fn parse(stored: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.stored() == stored)
    }
}
