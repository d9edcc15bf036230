//! Failures of the embedded SQS, and how SQS reports them on the wire.

use std::path::PathBuf;

/// A failure of the embedded SQS. On the wire it becomes SQS's own error code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqsServerError {
    #[error(
        "`{}` was written by a newer sidestep (format {found}, this one knows up to {supported})",
        path.display()
    )]
    NewerFormat { path: PathBuf, found: i64, supported: i64 },
    #[error("could not open `{}`", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("the specified queue does not exist: `{queue}`")]
    QueueDoesNotExist { queue: String },
    #[error("a queue named `{queue}` exists already with other attributes")]
    QueueNameExists { queue: String },
    #[error("the receipt handle `{handle}` is not one of this queue's")]
    ReceiptHandleIsInvalid { handle: String },
    #[error("the message is not in flight")]
    MessageNotInflight,
    #[error("attribute `{name}` does not exist")]
    InvalidAttributeName { name: String },
    #[error("the value of `{parameter}` is not valid: {why}")]
    InvalidParameterValue { parameter: String, why: String },
    #[error("the request cannot be read: {why}")]
    Malformed { why: String },
    #[error("a batch needs at least one entry")]
    EmptyBatchRequest,
    #[error("a batch has at most 10 entries, not {count}")]
    TooManyEntries { count: usize },
    #[error("the batch has id `{id}` twice")]
    IdsNotDistinct { id: String },
    #[error("{0} is not supported here")]
    Unsupported(String),
    #[error("operation `{0}` does not exist here")]
    UnknownOperation(String),
    #[error("the disk is full")]
    DiskFull { source: rusqlite::Error },
    #[error("the queues' file failed")]
    Index { source: rusqlite::Error },
    /// A row that does not parse: another program changed the file.
    #[error("the queues' file holds a row that cannot be read")]
    Corrupt { source: serde_json::Error },
    /// The runtime is shutting down.
    #[error("the operation was interrupted")]
    Interrupted,
}

impl SqsServerError {
    /// Returns the shape's name in AWS JSON and the code of the older protocol.
    ///
    /// SDKs still show the older code.
    pub(super) fn codes(&self) -> (&'static str, &'static str) {
        match self {
            Self::QueueDoesNotExist { .. } => {
                ("com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
            }
            Self::QueueNameExists { .. } => {
                ("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists")
            }
            Self::ReceiptHandleIsInvalid { .. } => {
                ("com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid")
            }
            Self::MessageNotInflight => (
                "com.amazonaws.sqs#MessageNotInflight",
                "AWS.SimpleQueueService.MessageNotInflight",
            ),
            Self::InvalidAttributeName { .. } => {
                ("com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName")
            }
            Self::InvalidParameterValue { .. } => {
                ("com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue")
            }
            Self::Malformed { .. } => {
                ("com.amazon.coral.service#SerializationException", "MalformedInput")
            }
            Self::EmptyBatchRequest => {
                ("com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest")
            }
            Self::TooManyEntries { .. } => (
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            ),
            Self::IdsNotDistinct { .. } => (
                "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
                "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            ),
            Self::Unsupported(_) => (
                "com.amazonaws.sqs#UnsupportedOperation",
                "AWS.SimpleQueueService.UnsupportedOperation",
            ),
            Self::UnknownOperation(_) => {
                ("com.amazon.coral.service#UnknownOperationException", "InvalidAction")
            }
            Self::NewerFormat { .. }
            | Self::Open { .. }
            | Self::DiskFull { .. }
            | Self::Index { .. }
            | Self::Corrupt { .. }
            | Self::Interrupted => ("com.amazon.coral.service#InternalFailure", "InternalFailure"),
        }
    }

    /// Returns true if the sender of the request is to blame.
    pub(super) fn is_senders(&self) -> bool {
        self.codes().1 != "InternalFailure"
    }
}

impl From<rusqlite::Error> for SqsServerError {
    fn from(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull { source },
            _ => Self::Index { source },
        }
    }
}

impl From<serde_json::Error> for SqsServerError {
    fn from(source: serde_json::Error) -> Self {
        Self::Corrupt { source }
    }
}
