//! Requests to S3 whose bucket is in the name of the host: `BUCKET.localhost`.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::HOST;
use axum::http::{Request, Uri};
use sidestep_admission::Answer;

/// Returns a service that finds the bucket in the path, whichever way a request names it.
///
/// The signature is of the path as it was sent, so the gate stands before this.
pub(super) fn within(s3: Answer) -> Answer {
    Arc::new(move |request| s3(with_bucket(request)))
}

fn with_bucket(mut request: Request<Body>) -> Request<Body> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let Some(bucket) = bucket(host) else { return request };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    if let Ok(uri) = format!("/{bucket}{target}").parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

/// Returns the bucket in a host such as `my.bucket.localhost:4566` or `bucket.s3.localhost`.
fn bucket(host: &str) -> Option<&str> {
    let name = host.split(':').next()?.strip_suffix(".localhost")?;
    let bucket = name.strip_suffix(".s3").unwrap_or(name);
    Some(bucket).filter(|bucket| *bucket != "s3" && !bucket.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_below_localhost_names_a_bucket() {
        for (host, expected) in [
            ("bucket.localhost:4566", Some("bucket")),
            ("my.bucket.localhost", Some("my.bucket")),
            ("bucket.s3.localhost:1", Some("bucket")),
            ("s3.localhost:1", None),
            ("localhost:4566", None),
            ("127.0.0.1:4566", None),
            ("", None),
        ] {
            assert_eq!(bucket(host), expected, "{host}");
        }
        let request = Request::builder().uri("/a%20b?uploads").header(HOST, "b.localhost");
        let moved = with_bucket(request.body(Body::empty()).expect("a request"));
        assert_eq!(moved.uri().to_string(), "/b/a%20b?uploads");
    }
}
