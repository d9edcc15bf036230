//! Failures of setting a deployment up.

use sidestep_engine::error::EngineError;
use sidestep_engine::ports::executions::TableError;
use sidestep_engine::ports::queues::QueueError;

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
