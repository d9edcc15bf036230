//! Tells which service a request is for.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, Method, Request, Uri};
use sidestep_admission::Service;

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    To(Service),
    SageMaker,
    /// The question whether the address is there.
    Health,
    /// A service that is not here.
    Other,
}

/// The services by the prefix of `X-Amz-Target`.
const TARGETS: [(&str, Route); 6] = [
    ("DynamoDB_", Route::To(Service::DynamoDb)),
    ("DynamoDBStreams_", Route::To(Service::DynamoDb)),
    ("AmazonSQS.", Route::To(Service::Sqs)),
    ("Logs_20140328.", Route::To(Service::Logs)),
    ("AWSEvents.", Route::To(Service::Events)),
    ("SageMaker.", Route::SageMaker),
];

/// Returns where a request goes. The scope of its signature decides, if it has one.
///
/// The gate of the service checks the same scope, so a signature for one service opens no other.
pub(super) fn route<B>(request: &Request<B>) -> Route {
    let (headers, uri) = (request.headers(), request.uri());
    match scope(headers, uri).as_deref() {
        Some("sagemaker") => Route::SageMaker,
        Some(name) => Service::of_scope(name).map_or(Route::Other, Route::To),
        None => by_shape(request.method(), uri, headers),
    }
}

/// Returns the service in a signature's scope, of the header or of a presigned URL.
fn scope(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let header = text(headers, &AUTHORIZATION).split_once("Credential=").map(|(_, rest)| rest);
    if let Some(scope) = header {
        return scope.split('/').nth(3).map(str::to_owned);
    }
    let mut pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, scope) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("x-amz-credential"))?;
    let decoded = percent_encoding::percent_decode_str(scope).decode_utf8_lossy();
    decoded.split('/').nth(3).map(str::to_owned)
}

/// Returns where a request without a scope goes.
fn by_shape(method: &Method, uri: &Uri, headers: &HeaderMap) -> Route {
    if uri.path() == "/_localstack/health" && method == Method::GET {
        return Route::Health;
    }
    let target = text(headers, &HeaderName::from_static("x-amz-target"));
    if let Some((_, route)) = TARGETS.iter().find(|(prefix, _)| target.starts_with(prefix)) {
        return *route;
    }
    let content_type = text(headers, &CONTENT_TYPE);
    // As the API for pipelines alone answered on its address: it says what it expects.
    if content_type.starts_with("application/x-amz-json-1.1") {
        return Route::SageMaker;
    }
    if !target.is_empty() {
        return Route::Other;
    }
    if content_type.starts_with("application/x-www-form-urlencoded") {
        return Route::To(Service::Sts);
    }
    if is_function(uri.path()) {
        return Route::To(Service::Lambda);
    }
    // Forms, URLs of Signature Version 2, and what is not signed at all.
    Route::To(Service::S3)
}

/// Returns true for a path of Lambda's API, such as `/2015-03-31/functions/NAME`.
fn is_function(path: &str) -> bool {
    let mut parts = path.trim_start_matches('/').split('/');
    let version = parts.next().unwrap_or_default();
    let is_date = version.len() == "2015-03-31".len()
        && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    is_date && matches!(parts.next(), Some("functions" | "layers" | "event-source-mappings"))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S3: Route = Route::To(Service::S3);

    #[test]
    fn a_request_goes_by_the_scope_of_its_signature_and_else_by_its_shape() {
        let signed = |service: &str| {
            let scope = format!("Credential=AK/20260101/us-east-1/{service}/aws4_request");
            format!("authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0")
        };
        let (target, form) = ("x-amz-target: ", "content-type: ");
        let lines = |name: &str, value: &str| format!("{name}{value}");
        for (request, headers, expected) in [
            ("GET /b/k", signed("s3"), S3),
            ("POST /", signed("dynamodb"), Route::To(Service::DynamoDb)),
            ("GET /2015-03-31/functions/f", signed("lambda"), Route::To(Service::Lambda)),
            ("POST /0/queue", signed("sqs"), Route::To(Service::Sqs)),
            ("POST /", signed("sts"), Route::To(Service::Sts)),
            ("POST /", signed("iam"), Route::To(Service::Iam)),
            ("POST /", signed("logs"), Route::To(Service::Logs)),
            ("POST /", signed("events"), Route::To(Service::Events)),
            ("POST /endpoints/e/invocations", signed("sagemaker"), Route::SageMaker),
            ("POST /", signed("sns"), Route::Other),
            ("POST /", signed("runtime"), Route::Other),
            ("GET /b/k?X-Amz-Credential=AK%2F20260101%2Fr%2Fs3%2Faws4_request", String::new(), S3),
            (
                "GET /?X-Amz-Credential=AK%2F2%2Fr%2Fsts%2Faws4_request",
                String::new(),
                Route::To(Service::Sts),
            ),
            ("GET /b/k?AWSAccessKeyId=AK&Signature=s&Expires=1", String::new(), S3),
            ("GET /b/k", "authorization: AWS AK:signature".into(), S3),
            ("POST /b", lines(form, "multipart/form-data; boundary=x"), S3),
            ("GET /", String::new(), S3),
            ("POST /", lines(target, "SageMaker.ListPipelines"), Route::SageMaker),
            ("POST /", lines(form, "application/x-amz-json-1.1"), Route::SageMaker),
            ("POST /", lines(target, "DynamoDB_20120810.Scan"), Route::To(Service::DynamoDb)),
            ("POST /", lines(target, "AmazonSQS.SendMessage"), Route::To(Service::Sqs)),
            ("POST /", lines(target, "Logs_20140328.PutLogEvents"), Route::To(Service::Logs)),
            ("POST /", lines(target, "AWSEvents.PutEvents"), Route::To(Service::Events)),
            ("POST /", lines(target, "Kinesis_20131202.PutRecord"), Route::Other),
            ("POST /", lines(form, "application/x-www-form-urlencoded"), Route::To(Service::Sts)),
            ("POST /2015-03-31/functions/f/invocations", String::new(), Route::To(Service::Lambda)),
            ("GET /2015-03-31/a-bucket-of-that-name", String::new(), S3),
            ("GET /_localstack/health", String::new(), Route::Health),
            ("GET /_localstack/health", signed("s3"), S3),
        ] {
            let (method, path) = request.split_once(' ').expect("two words");
            let mut built = Request::builder().method(method).uri(path);
            if let Some((name, value)) = headers.split_once(": ") {
                built = built.header(name, value);
            }
            let found = route(&built.body(()).expect("a request"));
            assert_eq!(found, expected, "{request} {headers}");
        }
    }
}
