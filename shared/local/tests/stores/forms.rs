//! Presigned POST: uploads by forms, as boto3's `generate_presigned_post` makes them.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::cloud::{BUCKET, Cloud, soon};
use crate::notifications::{Inbox, asks, dispatch};
use crate::wire::send;

const CREDENTIAL: &str = "KEY/20200101/us-east-1/s3/aws4_request";

/// Returns a form's fields, whose policy ends at `expiration` and has these conditions.
fn signed(key: &str, expiration: &str, conditions: &[Value]) -> Vec<(&'static str, String)> {
    let mut all = vec![
        json!({"bucket": BUCKET}),
        json!({"x-amz-algorithm": "AWS4-HMAC-SHA256"}),
        json!({"x-amz-credential": CREDENTIAL}),
        json!({"x-amz-date": "20200101T000000Z"}),
    ];
    all.extend_from_slice(conditions);
    let policy = json!({"expiration": expiration, "conditions": all}).to_string();
    vec![
        ("key", key.to_owned()),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
        ("x-amz-credential", CREDENTIAL.to_owned()),
        ("x-amz-date", "20200101T000000Z".to_owned()),
        ("policy", BASE64_STANDARD.encode(policy)),
        ("x-amz-signature", "0".repeat(64)),
    ]
}

/// Uploads a file by a form, and returns the status and the answer.
async fn post(cloud: &Cloud, fields: &[(&str, String)], file: &str) -> (u16, String) {
    let fields = fields.iter().map(|(name, value)| {
        format!("--b0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    });
    let file = format!(
        "--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.csv\"\r\n\
         Content-Type: text/csv\r\nX-More: 1\r\n\r\n{file}\r\n--b0--\r\n"
    );
    let body: String = fields.chain([file]).collect();
    let head = format!(
        "POST /{BUCKET} HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b0\r\n\
         Content-Length: {}",
        body.len()
    );
    send(cloud, &head, body.as_bytes()).await
}

#[tokio::test]
async fn a_presigned_form_uploads_a_file_under_its_name_and_is_an_event() {
    let cloud = Cloud::start().await;
    let asked = vec![asks("f", "s3:ObjectCreated:Post", "", "")];
    cloud.s3.set_notifications(BUCKET, asked).await.unwrap();
    let inbox = Arc::new(Inbox::default());
    let dispatcher = dispatch(&cloud.s3, &inbox);

    let under = json!(["starts-with", "$key", "in/"]);
    let fields = signed("in/${filename}", "2999-01-01T00:00:00Z", std::slice::from_ref(&under));
    let (status, answer) = post(&cloud, &fields, "x,${filename}\r\n1").await;
    assert_eq!(status, 204, "{answer}");
    assert_eq!(cloud.get("in/a b.csv").await.unwrap(), b"x,${filename}\r\n1");

    let created = [under, json!({"success_action_status": "201"})];
    let mut fields = signed("in/${filename}", "2999-01-01T00:00:00Z", &created);
    fields.push(("success_action_status", "201".to_owned()));
    let (status, answer) = post(&cloud, &fields, "").await;
    assert_eq!(status, 201, "{answer}");
    assert!(answer.contains("<Key>in/a b.csv</Key>"), "{answer}");
    assert_eq!(cloud.get("in/a b.csv").await.unwrap(), b"");

    soon(cloud.s3.drained()).await;
    dispatcher.abort();
    assert_eq!(inbox.summary(), ["f ObjectCreated:Post in/a+b.csv"; 2]);
}

#[tokio::test]
async fn a_form_that_breaks_its_policy_uploads_nothing() {
    let cloud = Cloud::start().await;
    let later = "2999-01-01T00:00:00Z";
    let key = json!({"key": "k"});
    let small = json!(["content-length-range", 1, 4]);
    for (what, fields, status, code) in [
        (
            "other key",
            signed("other", later, std::slice::from_ref(&key)),
            400,
            "InvalidPolicyDocument",
        ),
        (
            "expired",
            signed("k", "2020-01-01T00:00:00Z", std::slice::from_ref(&key)),
            403,
            "AccessDenied",
        ),
        ("too large", signed("k", later, &[key.clone(), small]), 400, "EntityTooLarge"),
        ("no condition on the key", signed("k", later, &[]), 403, "AccessDenied"),
        ("no file begins", vec![("k", "x".repeat(30_000))], 400, "MalformedPOSTRequest"),
    ] {
        let (found, answer) = post(&cloud, &fields, "12345").await;
        assert_eq!(found, status, "{what}: {answer}");
        assert!(answer.contains(&format!("<Code>{code}</Code>")), "{what}: {answer}");
    }
    for key in ["k", "other"] {
        assert_eq!(cloud.get(key).await.unwrap_err(), "NoSuchKey");
    }
}
