//! Failures of setting a deployment up.

use sidestep_engine::error::EngineError;
use sidestep_engine::ports::disk_full::DiskFull;
use sidestep_engine::ports::executions::TableError;
use sidestep_engine::ports::queues::QueueError;

use crate::folder::FolderError;
use crate::lambda::HostError;
use crate::s3::S3ServerError;
use crate::sqs::SqsServerError;

/// Why a deployment could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeploymentError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    S3(#[from] S3ServerError),
    #[error(transparent)]
    Lambda(#[from] HostError),
    #[error(transparent)]
    Sqs(#[from] SqsServerError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl DeploymentError {
    /// Returns true if the disk that holds the state folder is full.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::S3(S3ServerError::DiskFull { .. })
            | Self::Sqs(SqsServerError::DiskFull { .. }) => true,
            error => DiskFull::is_cause_of(error),
        }
    }
}
