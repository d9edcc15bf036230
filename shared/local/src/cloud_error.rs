//! Failures of the embedded cloud: to start, and of a store while it runs.

use std::io;
use std::net::SocketAddr;

use crate::dynamodb::DynamoDbServerError;
use crate::folder::FolderError;
use crate::jobs::JobsError;
use crate::lambda::HostError;
use crate::s3::S3ServerError;
use crate::sqs::SqsServerError;

/// Why the embedded cloud could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The address could not be taken, most often because the port is in use.
    #[error("could not serve {service} on {address}")]
    Listen { service: &'static str, address: SocketAddr, source: io::Error },
    #[error(transparent)]
    S3(#[from] S3ServerError),
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbServerError),
    #[error(transparent)]
    Lambda(#[from] HostError),
    #[error(transparent)]
    Sqs(#[from] SqsServerError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
}

impl CloudError {
    /// Returns true if the disk that holds the state folder is full.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::S3(S3ServerError::DiskFull { .. })
            | Self::Sqs(SqsServerError::DiskFull { .. }) => true,
            Self::DynamoDb(error) => error.is_disk_full(),
            _ => false,
        }
    }
}

/// The failure of a store that keeps a planner in this process from going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannerFailure {
    /// The error and its causes on one line.
    pub causes: String,
    pub is_disk_full: bool,
}
