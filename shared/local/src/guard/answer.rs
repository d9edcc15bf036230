//! `AccessDenied` in the protocol of each service with JSON.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::json;
use sidestep_admission::Service;
use uuid::Uuid;

const CODE: &str = "AccessDeniedException";

/// Returns the answer to a request that is refused.
pub(super) fn denied(service: Service, message: &str) -> Response<Body> {
    let (status, kind, document) = match service {
        Service::Lambda => {
            (StatusCode::FORBIDDEN, "application/json", json!({ "Message": message }))
        }
        // Of DynamoDB's errors only this one has `Message` with a capital.
        Service::DynamoDb => (
            StatusCode::BAD_REQUEST,
            "application/x-amz-json-1.0",
            json!({ "__type": format!("com.amazon.coral.service#{CODE}"), "Message": message }),
        ),
        _ => (
            StatusCode::FORBIDDEN,
            "application/x-amz-json-1.0",
            json!({ "__type": format!("com.amazon.coral.service#{CODE}"), "message": message }),
        ),
    };
    let mut response = Response::new(Body::from(document.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if service != Service::DynamoDb {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(CODE));
    }
    if service == Service::Sqs {
        headers.insert("x-amzn-query-error", HeaderValue::from_static("AccessDenied;Sender"));
    }
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
