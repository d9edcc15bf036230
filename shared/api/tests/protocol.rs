//! AWS JSON over HTTP, and who is let in.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use sidestep_api::{AccessKeys, Admission};

use crate::server::Server;

fn request(method: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let builder = Request::builder().method(method).uri("/");
    let with_headers =
        headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    with_headers.body(Body::from(body.to_owned())).unwrap()
}

const TARGET: (&str, &str) = ("x-amz-target", "SageMaker.ListPipelines");

#[tokio::test]
async fn what_is_not_a_request_of_the_protocol_is_refused() {
    let server = Server::new();
    let local = ("host", "localhost:4000");
    let cases = [
        (request("POST", &[local], "{}"), "UnknownOperationException"),
        (request("GET", &[local, TARGET], ""), "UnknownOperationException"),
        (
            request("POST", &[local, ("x-amz-target", "DynamoDB.GetItem")], "{}"),
            "UnknownOperationException",
        ),
        (request("POST", &[("host", "evil.example"), TARGET], "{}"), "ValidationException"),
        (request("POST", &[local, TARGET], ""), "SerializationException"),
        (request("POST", &[local, TARGET], "{} {}"), "SerializationException"),
        (request("POST", &[local, TARGET], "{\"MaxResults\":"), "SerializationException"),
    ];
    for (number, (request, code)) in cases.into_iter().enumerate() {
        let (status, answer) = server.send(request).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "case {number}: {answer}");
        assert_eq!(answer["__type"], code, "case {number}: {answer}");
    }
    let (status, answer) = server.send(request("POST", &[local, TARGET], "{}")).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({ "PipelineSummaries": [] })));
}

#[tokio::test]
async fn with_access_keys_an_unsigned_or_foreign_request_is_refused() {
    let keys = AccessKeys::parse("AKIDEXAMPLE00001 a-secret-of-thirty-two-characters").unwrap();
    let server = Server::with(Admission::Signed(keys));
    let host = ("host", "pipelines.example");
    let date = ("x-amz-date", "20231114T221320Z");
    let signed = |id: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential={id}/20231114/us-east-1/sagemaker/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, Signature=00"
        )
    };
    let (ours, other) = (signed("AKIDEXAMPLE00001"), signed("AKIDEXAMPLE00002"));
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[host, TARGET], "MissingAuthenticationTokenException"),
        (&[host, date, TARGET, ("authorization", &other)], "UnrecognizedClientException"),
        (&[host, date, TARGET, ("authorization", &ours)], "InvalidSignatureException"),
    ];
    for (headers, code) in cases {
        let (status, answer): (_, Value) = server.send(request("POST", headers, "{}")).await;
        assert_eq!(
            (status, &answer["__type"]),
            (StatusCode::BAD_REQUEST, &json!(code)),
            "{answer}"
        );
    }
}
