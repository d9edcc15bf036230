//! Refusals of the operations that change functions, in the words of Lambda.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use uuid::Uuid;

/// A request that changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::lambda) enum Refusal {
    #[error("Function not found: {0}")]
    NotFound(String),
    #[error("Function already exist: {0}")]
    Exists(String),
    /// A value that no account may have, whatever else is true.
    #[error("{0}")]
    Validation(String),
    #[error("{0}")]
    InvalidParameter(String),
    #[error("Could not parse request body into json: {0}")]
    NotJson(String),
    #[error("Request must be smaller than {0} bytes for this operation")]
    TooLarge(usize),
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
    )]
    Revision,
    #[error(
        "The statement id ({0}) provided already exists. Please provide a new statement id, or remove the existing statement."
    )]
    StatementExists(String),
    #[error("The resource you requested does not exist.")]
    NoStatement,
    /// A file could not be written, or the server has functions of the project alone.
    #[error("{0}")]
    Service(String),
}

impl Refusal {
    fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound(_) | Self::NoStatement => {
                (StatusCode::NOT_FOUND, "ResourceNotFoundException")
            }
            Self::Exists(_) | Self::StatementExists(_) => {
                (StatusCode::CONFLICT, "ResourceConflictException")
            }
            Self::Validation(_) => (StatusCode::BAD_REQUEST, "ValidationException"),
            Self::InvalidParameter(_) => {
                (StatusCode::BAD_REQUEST, "InvalidParameterValueException")
            }
            Self::NotJson(_) => (StatusCode::BAD_REQUEST, "InvalidRequestContentException"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException"),
            Self::Revision => (StatusCode::PRECONDITION_FAILED, "PreconditionFailedException"),
            Self::Service(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException"),
        }
    }

    /// Returns the answer.
    pub(in crate::lambda) fn response(&self) -> Response {
        let (status, code) = self.code();
        let (fault, message) = match self {
            Self::Service(_) => ("Service", "Message"),
            Self::Validation(_) => ("User", "message"),
            _ => ("User", "Message"),
        };
        let request_id = Uuid::new_v4().to_string();
        let headers = [("x-amzn-errortype", code), ("x-amzn-requestid", &request_id)];
        let document = json!({ "Type": fault, message: self.to_string() });
        (status, headers, Json(document)).into_response()
    }
}
