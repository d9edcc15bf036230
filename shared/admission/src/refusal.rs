//! The answers to requests that are not let in, in the words of each service.

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::origin::Foreign;
use crate::service::Service;
use crate::signature::Refused;

/// Where a user finds the key that is missing.
const HINT: &str = "The embedded services accept the key of their state folder; your shell has it after `eval \"$(sidestep env)\"`.";

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Foreign(#[from] Foreign),
    #[error("{0} {HINT}")]
    Signature(#[from] Refused),
    #[error("The request is too large, or broke off.")]
    TooLarge,
    #[error("The request took too long.")]
    TooSlow,
    /// The doors are still shut.
    #[error("Please try again: sidestep is starting.")]
    Starting,
}

impl Refusal {
    /// Returns the answer. It closes the connection and grants a web page nothing.
    pub(crate) fn response(&self, service: Service) -> Response<Body> {
        let (content_type, body) = if service == Service::S3 {
            ("application/xml", self.xml())
        } else if service.is_query() {
            ("text/xml", self.query_xml())
        } else {
            let document = json!({ "__type": self.code(), "message": self.to_string() });
            ("application/x-amz-json-1.0", document.to_string())
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status(service);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.code()));
        response
    }

    fn status(&self, service: Service) -> StatusCode {
        match self {
            Self::Foreign(Foreign::Host(_)) => StatusCode::MISDIRECTED_REQUEST,
            Self::Signature(_) if service == Service::DynamoDb => StatusCode::BAD_REQUEST,
            Self::Foreign(Foreign::Page(_)) | Self::Signature(_) => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Starting => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Foreign(_) => "AccessDeniedException",
            Self::Signature(Refused::Missing) => "MissingAuthenticationTokenException",
            Self::Signature(Refused::UnknownKey) => "UnrecognizedClientException",
            Self::Signature(Refused::Expired) => "ExpiredTokenException",
            Self::Signature(Refused::Incomplete(_)) => "IncompleteSignatureException",
            Self::Signature(Refused::Invalid(_)) => "InvalidSignatureException",
            Self::TooLarge => "RequestEntityTooLarge",
            Self::TooSlow => "RequestTimeout",
            Self::Starting => "ServiceUnavailableException",
        }
    }

    /// Returns S3's document of the error.
    fn xml(&self) -> String {
        let code = match self {
            Self::Foreign(_) | Self::Signature(Refused::Missing) => "AccessDenied",
            Self::Signature(Refused::UnknownKey) => "InvalidAccessKeyId",
            Self::Signature(Refused::Expired) => "ExpiredToken",
            Self::Signature(Refused::Incomplete(_)) => "AuthorizationHeaderMalformed",
            Self::Signature(Refused::Invalid(_)) => "SignatureDoesNotMatch",
            Self::TooLarge => "EntityTooLarge",
            Self::TooSlow => "RequestTimeout",
            Self::Starting => "ServiceUnavailable",
        };
        let message = self.escaped();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        )
    }

    /// Returns the document of the error in the Query protocol, with the codes of STS and IAM.
    fn query_xml(&self) -> String {
        let code = match self {
            Self::Foreign(_) => "AccessDenied",
            Self::Signature(Refused::Missing) => "MissingAuthenticationToken",
            Self::Signature(Refused::UnknownKey) => "InvalidClientTokenId",
            Self::Signature(Refused::Expired) => "ExpiredToken",
            Self::Signature(Refused::Incomplete(_)) => "IncompleteSignature",
            Self::Signature(Refused::Invalid(_)) => "SignatureDoesNotMatch",
            Self::TooLarge => "RequestEntityTooLarge",
            Self::TooSlow => "RequestTimeout",
            Self::Starting => "ServiceUnavailable",
        };
        let message = self.escaped();
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        )
    }

    fn escaped(&self) -> String {
        self.to_string().replace('&', "&amp;").replace('<', "&lt;")
    }
}
