//! Answers calls of AWS services that the embedded cloud does not have.
//!
//! Functions find it by `AWS_ENDPOINT_URL`. Without it such a call would go to AWS itself, with
//! credentials that AWS refuses, or wait for a network that is not there.

use axum::Json;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

/// The error code of each answer.
const CODE: &str = "ServiceNotEmbedded";

/// Refuses a request in the protocol of its service.
pub(crate) fn refuse(headers: &HeaderMap) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let service = service_of(text(AUTHORIZATION)).unwrap_or_else(|| "unknown".to_owned());
    let message = format!(
        "the embedded cloud has no service `{service}`; to let a function reach AWS with your \
         profile, set `network = 'aws'` below its `[functions.NAME]` in `sidestep.toml`"
    );
    let request_id = Uuid::new_v4().to_string();
    if text(CONTENT_TYPE).starts_with("application/x-www-form-urlencoded") {
        let xml = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{CODE}</Code><Message>{message}\
             </Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        );
        return (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "text/xml")], xml).into_response();
    }
    let headers = [("x-amzn-errortype", CODE), ("x-amzn-requestid", &request_id)];
    let document = json!({ "__type": CODE, "message": message });
    (StatusCode::BAD_REQUEST, headers, Json(document)).into_response()
}

/// Returns the service in the scope of a signature: `Credential=ID/DATE/REGION/SERVICE/...`.
fn service_of(authorization: &str) -> Option<String> {
    let (_, scope) = authorization.split_once("Credential=")?;
    let service = scope.split('/').nth(3)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    Some(service.to_owned()).filter(|name| !name.is_empty() && name.chars().all(is_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_names_the_service() {
        let signed = "AWS4-HMAC-SHA256 Credential=AK/20130524/us-east-1/sns/aws4_request, Signed";
        assert_eq!(service_of(signed).as_deref(), Some("sns"));
        assert_eq!(service_of("AWS4-HMAC-SHA256 Credential=AK/20130524/r/<x>/aws4_request"), None);
        assert_eq!(service_of(""), None);
    }

    #[tokio::test]
    async fn a_refusal_says_what_to_set_in_the_protocol_of_the_service() {
        for (content_type, part) in [
            ("application/x-amz-json-1.1", r#""__type":"ServiceNotEmbedded""#),
            ("application/x-www-form-urlencoded", "<Code>ServiceNotEmbedded</Code>"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
            let response = refuse(&headers);
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(text.contains(part) && text.contains("network = 'aws'"), "{text}");
        }
    }
}
