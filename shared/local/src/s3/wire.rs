//! Requests as the gate lets them in: without a signature, `aws-chunked` bodies are unwrapped, and
//! forms are rewritten.
//!
//! The gate has checked the signature. It is dropped before `s3s` sees it, because `s3s` can only
//! verify signatures. The framing of signed uploads goes with it, so it is decoded here, too.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};

use sidestep_admission::Unverified;

use super::aws_chunked::{Trailers, unframed};
use super::form::{self, IsForm};

/// The size of the object, where `Content-Length` is that of the framed body.
const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
/// The signature's hash of the payload, or the name of a framing.
pub(crate) const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// The query parameters of a presigned URL, in lower case.
const SIGNATURE_PARAMETERS: [&str; 9] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-content-sha256",
    "awsaccesskeyid",
];

/// Removes the signature and the framing from a request.
pub(crate) fn unsigned(request: Request<Body>) -> Request<s3s::Body> {
    let is_unverified = request.extensions().get::<Unverified>().is_some();
    let (mut parts, body) = request.into_parts();
    let authorization = parts.headers.remove(header::AUTHORIZATION);
    let signed = authorization.as_ref().and_then(|value| value.to_str().ok());
    if let Some(access_key) = signed.and_then(signer).or_else(|| presigner(&parts.uri)) {
        parts.extensions.insert(Caller(access_key.to_owned()));
    }
    if !is_unverified {
        parts.uri = without_signature(parts.uri);
    }

    if let Some(boundary) = form::boundary(&parts.method, &parts.headers) {
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.extensions.insert(IsForm);
        let form = form::rewritten(body, &boundary, is_unverified);
        return Request::from_parts(parts, s3s::Body::http_body_unsync(form));
    }
    let is_chunked = parts
        .headers
        .get(CONTENT_SHA256)
        .is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"));
    if !is_chunked {
        return Request::from_parts(parts, s3s::Body::http_body_unsync(body));
    }

    // The client described the framed body. From here on the headers are about the object.
    match parts.headers.remove(DECODED_LENGTH) {
        Some(length) => parts.headers.insert(header::CONTENT_LENGTH, length),
        None => parts.headers.remove(header::CONTENT_LENGTH),
    };
    remove_aws_chunked(&mut parts.headers);

    let trailers = Trailers::default();
    parts.extensions.insert(trailers.clone());
    Request::from_parts(parts, s3s::Body::http_body_unsync(unframed(body, trailers)))
}

/// The access key that a request was signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller(pub(crate) String);

/// Returns the access key of an `Authorization` header, of either version.
fn signer(authorization: &str) -> Option<&str> {
    if let Some((_, credential)) = authorization.split_once("Credential=") {
        return credential.split('/').next();
    }
    authorization.strip_prefix("AWS ")?.split(':').next()
}

/// Returns the access key of a presigned URL, of either version.
fn presigner(uri: &Uri) -> Option<&str> {
    let mut pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(name, value)| match name.to_ascii_lowercase().as_str() {
        "x-amz-credential" => value.split(['/', '%']).next(),
        "awsaccesskeyid" => Some(value),
        _ => None,
    })
}

/// Removes the parameters of a presigned URL's signature.
fn without_signature(uri: Uri) -> Uri {
    let Some(query) = uri.query() else { return uri };
    let is_version_2 = query.contains("AWSAccessKeyId=");
    let is_signature = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        SIGNATURE_PARAMETERS.contains(&name.as_str())
            || (is_version_2 && ["signature", "expires"].contains(&name.as_str()))
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_signature(pair)).collect();
    let path = uri.path();
    let target =
        if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    // A subset of a valid URI's query is valid. If it ever were not, the request would go on as it
    // came.
    target.parse().unwrap_or(uri)
}

/// Removes `aws-chunked`, which describes the transfer, from the encodings of the object.
fn remove_aws_chunked(headers: &mut HeaderMap) {
    let Some(value) = headers.remove(header::CONTENT_ENCODING) else { return };
    let Ok(encodings) = value.to_str() else { return };
    let kept: Vec<&str> =
        encodings.split(',').map(str::trim).filter(|e| *e != "aws-chunked").collect();
    if !kept.is_empty()
        && let Ok(value) = HeaderValue::from_str(&kept.join(","))
    {
        headers.insert(header::CONTENT_ENCODING, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_signature_names_its_access_key() {
        for authorization in [
            "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, \
             Signature=ab",
            "AWS KEY:signature=",
        ] {
            assert_eq!(signer(authorization), Some("KEY"), "{authorization}");
        }
        for query in [
            "X-Amz-Algorithm=x&X-Amz-Credential=KEY%2F20260101%2Fus-east-1%2Fs3%2Faws4_request",
            "AWSAccessKeyId=KEY&Expires=1&Signature=s",
        ] {
            let uri: Uri = format!("/b/k?{query}").parse().unwrap();
            assert_eq!(presigner(&uri), Some("KEY"), "{query}");
        }
        assert_eq!((signer("Basic x"), presigner(&"/b/k".parse().unwrap())), (None, None));
    }

    #[test]
    fn a_presigned_url_loses_only_its_signature() {
        let uri: Uri =
            "/b/k%20k?partNumber=1&X-Amz-Signature=ab&X-Amz-Expires=9&uploadId=u".parse().unwrap();
        assert_eq!(without_signature(uri).to_string(), "/b/k%20k?partNumber=1&uploadId=u");
        let uri: Uri = "/b/k?AWSAccessKeyId=a&Expires=1&Signature=s".parse().unwrap();
        assert_eq!(without_signature(uri).to_string(), "/b/k");
    }
}
