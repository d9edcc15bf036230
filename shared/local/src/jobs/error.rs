//! The errors of the jobs service, with SageMaker's codes and texts.

use std::path::PathBuf;

use serde_json::{Value, json};

/// A refused or failed request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobsError {
    /// The body is not the JSON of the operation's request.
    #[error("{0}")]
    Serialization(String),
    /// The code of most refusals, also of resources that are not there.
    #[error("{0}")]
    Validation(String),
    /// The name is taken.
    #[error("{0}")]
    InUse(String),
    #[error("{0}")]
    LimitExceeded(String),
    /// Another resource needs this one.
    #[error("{0}")]
    Conflict(String),
    #[error("could not {operation} `{}`", path.display())]
    Io { operation: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the store of jobs failed")]
    Sqlite(#[from] rusqlite::Error),
    #[error("a record of the store of jobs cannot be read")]
    Record(#[from] serde_json::Error),
    #[error(
        "`{}` was written by a newer sidestep (format {found}, this one knows up to {supported})",
        path.display()
    )]
    NewerFormat { path: PathBuf, found: i64, supported: i64 },
    /// A thread of the service panicked.
    #[error("a thread of the service ended too early")]
    Interrupted,
}

impl JobsError {
    /// Returns the refusal of a resource that is not there, in SageMaker's words.
    pub(crate) fn not_found() -> Self {
        Self::Validation("Requested resource not found.".to_owned())
    }

    /// Returns the code for `__type`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Serialization(_) => "SerializationException",
            Self::Validation(_) => "ValidationException",
            Self::InUse(_) => "ResourceInUse",
            Self::Conflict(_) => "ConflictException",
            Self::LimitExceeded(_) => "ResourceLimitExceeded",
            _ => "InternalFailure",
        }
    }

    /// Returns the HTTP status of the answer.
    pub fn status(&self) -> u16 {
        if self.code() == "InternalFailure" { 500 } else { 400 }
    }

    /// Returns the body of the answer.
    pub fn body(&self) -> Value {
        // The service model spells the member differently for these.
        let member = match self {
            Self::InUse(_) | Self::LimitExceeded(_) | Self::Conflict(_) => "Message",
            _ => "message",
        };
        json!({ "__type": self.code(), member: self.to_string() })
    }
}
