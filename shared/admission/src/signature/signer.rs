//! Signs a request, for a client that has no SDK.

use std::time::SystemTime;

use aws_credential_types::Credentials as Identity;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign as signature,
};
use aws_sigv4::sign::v4;

use crate::credentials::Credentials;
use crate::service::Service;

/// Returns the headers that sign a request to `url` now. `headers` are signed, too.
///
/// Returns none for a request that cannot be signed, such as one without a host.
pub fn sign(
    credentials: &Credentials,
    service: Service,
    (method, url): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<(String, String)> {
    let mut settings = SigningSettings::default();
    if service == Service::S3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let Credentials { access_key_id, secret_access_key } = credentials;
    let identity = Identity::new(access_key_id, secret_access_key, None, None, "sign").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name(service.scope())
        .time(SystemTime::now())
        .settings(settings)
        .build();
    let body = SignableBody::Bytes(body);
    let request = SignableRequest::new(method, url, headers.iter().copied(), body);
    let signed = params.ok().zip(request.ok()).and_then(|(params, request)| {
        let params = params.into();
        signature(request, &params).ok()
    });
    let Some(signed) = signed else { return Vec::new() };
    let (instructions, _) = signed.into_parts();
    let headers = instructions.headers();
    headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
