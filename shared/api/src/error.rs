//! The errors of the API, with the codes and texts that clients of SageMaker look at.

use sidestep_admission::Refused;
use sidestep_core::parse::problem::Problem;
use sidestep_engine::error::{EngineError, RequestError, StartError, error_chain};
use sidestep_engine::ports::executions::TableError;
use sidestep_engine::ports::objects::StoreError;

/// The most problems of a definition in one message.
const PROBLEMS: usize = 20;

/// A refused or failed request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The body is not the JSON of the operation's request.
    #[error("{0}")]
    Serialization(String),
    #[error("{0}")]
    Validation(String),
    /// The code does not end in `Exception`, because clients compare it literally.
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    LimitExceeded(String),
    #[error("{0}")]
    UnknownOperation(String),
    /// The request is not signed, but only signed ones are accepted.
    #[error("Missing Authentication Token")]
    MissingAuthentication,
    /// The access key is not a known one. A session token belongs to none.
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
    /// The `Authorization` header cannot be read.
    #[error("{0}")]
    IncompleteSignature(String),
    /// The request was changed after it was signed, or was signed too long ago or for another
    /// service.
    #[error("{0}")]
    InvalidSignature(String),
    /// A repeat may succeed.
    #[error("a service that sidestep needs is not available: {0}")]
    Unavailable(String),
    #[error("{0}")]
    Internal(String),
}

impl ApiError {
    /// Returns the code for `__type`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Serialization(_) => "SerializationException",
            Self::Validation(_) => "ValidationException",
            Self::NotFound(_) => "ResourceNotFound",
            Self::Conflict(_) => "ConflictException",
            Self::LimitExceeded(_) => "ResourceLimitExceeded",
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::MissingAuthentication => "MissingAuthenticationTokenException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
            Self::IncompleteSignature(_) => "IncompleteSignatureException",
            Self::InvalidSignature(_) => "InvalidSignatureException",
            Self::Unavailable(_) => "ServiceUnavailableException",
            Self::Internal(_) => "InternalFailure",
        }
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unavailable(_) => 503,
            Self::Internal(_) => 500,
            _ => 400,
        }
    }

    pub(crate) fn validation(text: impl Into<String>) -> Self {
        Self::Validation(text.into())
    }
}

/// Returns the errors of a definition, each with its place.
pub(crate) fn definition(problems: &[Problem]) -> ApiError {
    let errors: Vec<_> = problems.iter().filter(|problem| problem.is_error()).collect();
    let line = |problem: &&Problem| {
        let pointer = if problem.pointer.is_empty() { "/" } else { &problem.pointer };
        format!("{pointer} (line {}, column {}): {problem}", problem.line, problem.column)
    };
    let lines: Vec<_> = errors.iter().take(PROBLEMS).map(line).collect();
    let rest = match errors.len().saturating_sub(PROBLEMS) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    ApiError::validation(format!("Unable to parse pipeline definition. {}{rest}", lines.join("; ")))
}

impl From<Refused> for ApiError {
    fn from(error: Refused) -> Self {
        match error {
            Refused::Missing => Self::MissingAuthentication,
            Refused::UnknownKey | Refused::Expired => Self::UnrecognizedClient,
            Refused::Incomplete(text) => Self::IncompleteSignature(text),
            Refused::Invalid(text) => Self::InvalidSignature(text),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Definition(problems) => definition(&problems),
            EngineError::Start(StartError::Conflict { .. }) => Self::Conflict(error_chain(&error)),
            EngineError::Start(error) => Self::Validation(error.to_string()),
            EngineError::ExecutionNotFound(id) => {
                Self::NotFound(format!("Pipeline execution '{id}' does not exist."))
            }
            EngineError::Request(error) => error.into(),
            EngineError::Table(error) => error.into(),
            EngineError::Store(
                error @ (StoreError::NoSuchBucket { .. } | StoreError::TooLarge { .. }),
            ) => Self::Validation(error.to_string()),
            EngineError::Store(error) if error.retryable() => {
                Self::Unavailable(error_chain(&error))
            }
            EngineError::Function(_) | EngineError::Queue(_) => {
                Self::Unavailable(error_chain(&error))
            }
            error => Self::Internal(error_chain(&error)),
        }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let text = error_chain(&error);
        match error {
            RequestError::UnknownToken { .. } => Self::NotFound(text),
            RequestError::Control { .. }
            | RequestError::OtherCode { .. }
            | RequestError::NotWaiting { .. } => Self::Conflict(text),
            _ => Self::Validation(text),
        }
    }
}

impl From<TableError> for ApiError {
    fn from(error: TableError) -> Self {
        let text = error_chain(&error);
        if error.retryable() { Self::Unavailable(text) } else { Self::Internal(text) }
    }
}
