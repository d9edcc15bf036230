//! AWS's published examples, then requests with every part changed after signing.

use axum::http::Request;

use super::*;
use crate::keys::AccessKeys;

const ID: &str = "AKIDEXAMPLE00001";
/// The secret of AWS's examples.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z.
const NOW_MS: u64 = 1_440_938_160_000;
const BODY: &[u8] = br#"{"PipelineName": "flights"}"#;

/// Returns the keys of AWS's examples. Their id is shorter than any real one, so no file is read.
fn examples() -> AccessKeys {
    AccessKeys::of("AKIDEXAMPLE", SECRET)
}

fn keys() -> AccessKeys {
    AccessKeys::parse(&format!("{ID} {SECRET}")).expect("right")
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn check(head: &Parts, body: &[u8], keys: &AccessKeys, now_ms: u64) -> Result<(), Refused> {
    Claim::read(head, "sagemaker", keys, now_ms)?.verify(head, body, keys)
}

/// Returns a request to start a pipeline, signed here.
fn signed(change: impl FnOnce(&mut Claim)) -> Parts {
    let mut head = request(
        "POST",
        "/",
        &[
            ("host", "pipelines.example"),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-date", "20150830T123600Z"),
            ("x-amz-target", "SageMaker.StartPipelineExecution"),
            ("user-agent", "anything"),
        ],
    );
    let signed_headers = ["content-type", "host", "x-amz-date", "x-amz-target"];
    let mut claim = Claim {
        access_key_id: ID.to_owned(),
        region: "us-east-1".to_owned(),
        service: "sagemaker".to_owned(),
        signed_at_ms: NOW_MS,
        signed_headers: signed_headers.map(str::to_owned).to_vec(),
        signature: String::new(),
        expires_in: None,
    };
    change(&mut claim);
    let signature =
        claim.expected(&head, SignableBody::Bytes(BODY), SECRET).expect("it can be signed");
    let Claim { access_key_id, region, service, signed_headers, .. } = claim;
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={access_key_id}/20150830/{region}/{service}/aws4_request, SignedHeaders={}, Signature={signature}",
        signed_headers.join(";"),
    );
    set(&mut head, "authorization", &value);
    head
}

fn set(head: &mut Parts, name: &'static str, value: &str) {
    head.headers.insert(name, value.parse().expect("a header"));
}

fn edit(head: &mut Parts, from: &str, to: &str) {
    let value = head.headers["authorization"].to_str().expect("text");
    assert!(value.contains(from), "{value}");
    let value = value.replace(from, to);
    set(head, "authorization", &value);
}

fn code(result: Result<(), Refused>) -> &'static str {
    result.map_or_else(|error| name(&error), |()| "accepted")
}

fn name(error: &Refused) -> &'static str {
    match error {
        Refused::Missing => "missing",
        Refused::UnknownKey => "unknown key",
        Refused::Expired => "expired",
        Refused::Incomplete(_) => "incomplete",
        Refused::Invalid(_) => "invalid",
    }
}

#[test]
fn the_signatures_of_awss_published_examples_are_accepted() {
    // The general reference's ListUsers, and `post-vanilla` of the test suite for Signature Version
    // 4.
    let list_users = request(
        "GET",
        "/?Action=ListUsers&Version=2010-05-08",
        &[
            ("host", "iam.amazonaws.com"),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("x-amz-date", "20150830T123600Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
        ],
    );
    let post_vanilla = request(
        "POST",
        "/",
        &[
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
        ],
    );
    for (head, service) in [(list_users, "iam"), (post_vanilla, "service")] {
        let claim = Claim::read(&head, service, &examples(), NOW_MS).expect("readable");
        claim.verify(&head, b"", &examples()).expect(service);
        assert_eq!(code(claim.verify(&head, b"x", &examples())), "invalid");
        let others = AccessKeys::of("AKIDEXAMPLE", &SECRET.replace('w', "v"));
        assert_eq!(code(claim.verify(&head, b"", &others)), "invalid");
    }
}

#[test]
fn a_request_that_was_changed_after_it_was_signed_is_refused() {
    let accepted = |head: &Parts| code(check(head, BODY, &keys(), NOW_MS));
    assert_eq!(accepted(&signed(|_| {})), "accepted");
    assert_eq!(accepted(&signed(|claim| claim.region = "eu-west-1".to_owned())), "accepted");
    assert_eq!(code(check(&signed(|_| {}), b"{}", &keys(), NOW_MS)), "invalid");
    let changes: [fn(&mut Parts); 10] = [
        |head| set(head, "x-amz-target", "SageMaker.DeletePipeline"),
        |head| set(head, "host", "elsewhere.example"),
        |head| drop(head.headers.remove("host")),
        |head| set(head, "content-type", "text/plain"),
        |head| set(head, "x-amz-date", "20150830T123601Z"),
        |head| head.method = axum::http::Method::PUT,
        |head| head.uri = "/?Action=ListUsers".parse().expect("a URI"),
        |head| edit(head, "/us-east-1/", "/us-west-2/"),
        |head| edit(head, ";x-amz-target", ""),
        |head| {
            let again = "SageMaker.DeletePipeline".parse().expect("a header");
            head.headers.append("x-amz-target", again);
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut head = signed(|_| {});
        change(&mut head);
        assert_eq!(accepted(&head), "invalid", "change {number}");
    }
    // What is not signed may change on the way.
    let mut head = signed(|_| {});
    set(&mut head, "user-agent", "a proxy");
    assert_eq!(accepted(&head), "accepted");
}

#[test]
fn headers_with_a_meaning_must_be_signed() {
    for left_out in ["host", "x-amz-date", "x-amz-target"] {
        let mut head = signed(|_| {});
        edit(&mut head, &format!(";{left_out}"), "");
        let error = check(&head, BODY, &keys(), NOW_MS).expect_err(left_out);
        assert_eq!(name(&error), "invalid");
        assert!(error.to_string().contains(left_out), "{error}");
    }
    let mut head = signed(|_| {});
    set(&mut head, "x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    assert_eq!(code(check(&head, BODY, &keys(), NOW_MS)), "invalid");
    edit(&mut head, "host;", "host;x-amz-content-sha256;");
    assert_eq!(code(check(&head, BODY, &keys(), NOW_MS)), "invalid");
}

#[test]
fn a_signature_is_good_for_fifteen_minutes_around_its_date() {
    let head = signed(|_| {});
    let at = |now_ms| code(check(&head, BODY, &keys(), now_ms));
    for now_ms in [NOW_MS - SKEW_MS, NOW_MS + SKEW_MS] {
        assert_eq!(at(now_ms), "accepted");
    }
    for now_ms in [NOW_MS - SKEW_MS - 1, NOW_MS + SKEW_MS + 1, 0, u64::MAX] {
        assert_eq!(at(now_ms), "invalid");
    }
}

#[test]
fn missing_unreadable_and_unknown_parts_are_told_apart() {
    type Case = (fn(&mut Parts), &'static str);
    let cases: [Case; 13] = [
        (|head| drop(head.headers.remove("authorization")), "missing"),
        (|head| set(head, "authorization", ""), "incomplete"),
        (|head| set(head, "authorization", "Bearer x"), "incomplete"),
        (|head| set(head, "authorization", "AWS4-HMAC-SHA256 "), "incomplete"),
        (|head| edit(head, "Signature=", "Signed="), "incomplete"),
        (|head| edit(head, "SignedHeaders=", "SignedHeader="), "incomplete"),
        (|head| edit(head, "/aws4_request", ""), "incomplete"),
        (|head| drop(head.headers.remove("x-amz-date")), "incomplete"),
        (|head| set(head, "x-amz-date", "2015-08-30T12:36:00Z"), "incomplete"),
        (|head| edit(head, "/20150830/", "/20150831/"), "invalid"),
        (|head| edit(head, "/sagemaker/", "/s3/"), "invalid"),
        (|head| edit(head, ID, "AKIDEXAMPLE00002"), "unknown key"),
        (
            |head| {
                set(head, "x-amz-security-token", "token");
                edit(head, ";x-amz-target", ";x-amz-security-token;x-amz-target");
            },
            "unknown key",
        ),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let mut head = signed(|_| {});
        change(&mut head);
        let error = check(&head, BODY, &keys(), NOW_MS).expect_err(expected);
        assert_eq!(name(&error), expected, "case {number}: {error}");
    }
}

mod any {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn header_is_judged_without_a_panic(
            authorization in "(AWS4-HMAC-SHA256 )?(Credential=[ -~]{0,30},)?(SignedHeaders=[ -~]{0,20},)?[ -~]{0,40}",
            date in "[ -~]{0,20}",
        ) {
            let mut head = signed(|_| {});
            set(&mut head, "authorization", &authorization);
            set(&mut head, "x-amz-date", &date);
            prop_assert!(check(&head, BODY, &keys(), NOW_MS).is_err());
        }
    }
}
