//! Checks Signature Version 4: who sent a request, that it was not changed, and that it is not old.
//!
//! This is pure: the request, the keys and the time are arguments. The `Authorization` header is
//! judged before the body is read. Then the signature is computed again by the crate that AWS's own
//! SDK signs with. One rule is stricter than AWS's: all `x-amz-*` headers must be signed, because
//! the operation is one of them. Presigned URLs, `Date` in place of `X-Amz-Date`, session tokens
//! and unsigned bodies are refused.
//!
//! Errors: <https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html>.
//! The status is 400, as SageMaker's.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq as _;
use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::error::ApiError;
use crate::keys::AccessKeys;

/// The most that the clocks of two machines may differ, as at AWS.
const SKEW_MS: u64 = 15 * 60 * 1000;
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: &str = "x-amz-date";

/// The signature of a request, and what it says was signed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    access_key_id: String,
    region: String,
    service: String,
    signed_at_ms: u64,
    /// In the order of the header.
    signed_headers: Vec<String>,
    signature: String,
}

impl Claim {
    /// Reads the headers of a request to `service`, and refuses what can be refused without the
    /// body.
    pub(crate) fn read(
        headers: &HeaderMap,
        service: &str,
        keys: &AccessKeys,
        now_ms: u64,
    ) -> Result<Self, ApiError> {
        let authorization = text(headers, &AUTHORIZATION).ok_or(ApiError::MissingAuthentication)?;
        let rest = authorization
            .strip_prefix(ALGORITHM)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or_else(|| {
                incomplete(&format!("Authorization header requires the algorithm '{ALGORITHM}'."))
            })?;
        let part = |name: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(name))
                .and_then(|value| value.strip_prefix('='))
                .filter(|value| !value.is_empty())
                .ok_or_else(|| {
                    incomplete(&format!("Authorization header requires '{name}' parameter."))
                })
        };
        let (credential, signature) = (part("Credential")?, part("Signature")?);
        let signed_headers: Vec<_> = part("SignedHeaders")?.split(';').map(str::to_owned).collect();
        let date = text(headers, &HeaderName::from_static(DATE)).ok_or_else(|| {
            incomplete("Authorization header requires existence of a 'X-Amz-Date' header.")
        })?;
        let scope: Vec<_> = credential.split('/').collect();
        let [access_key_id, day, region, scope_service, "aws4_request"] = scope[..] else {
            return Err(incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request.",
            ));
        };
        if scope_service != service {
            return Err(invalid(format!(
                "Credential should be scoped to correct service: '{service}'."
            )));
        }
        if region.is_empty() {
            return Err(invalid("Credential should be scoped to a region."));
        }
        let signed_at_ms = read_date(date).ok_or_else(|| {
            incomplete("Date must be in ISO-8601 'basic format', such as 20150830T123600Z.")
        })?;
        if !date.starts_with(day) || day.len() != "20150830".len() {
            return Err(invalid(
                "Date in Credential scope does not match YYYYMMDD from X-Amz-Date.",
            ));
        }
        check_signed(headers, &signed_headers)?;
        if headers.contains_key("x-amz-security-token") || keys.secret(access_key_id).is_none() {
            return Err(ApiError::UnrecognizedClient);
        }
        if now_ms.abs_diff(signed_at_ms) > SKEW_MS {
            let what = if signed_at_ms < now_ms { "expired" } else { "not yet current" };
            return Err(invalid(format!(
                "Signature {what}: {date} is more than 15 minutes from the time here."
            )));
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            region: region.to_owned(),
            service: scope_service.to_owned(),
            signed_at_ms,
            signed_headers,
            signature: signature.to_owned(),
        })
    }

    /// Computes the signature again and compares them, in constant time.
    pub(crate) fn verify(
        &self,
        head: &Parts,
        body: &[u8],
        keys: &AccessKeys,
    ) -> Result<(), ApiError> {
        let secret = keys.secret(&self.access_key_id).ok_or(ApiError::UnrecognizedClient)?;
        let expected = self.expected(head, body, secret).ok_or_else(mismatch)?;
        let is_right: bool = expected.as_bytes().ct_eq(self.signature.as_bytes()).into();
        if is_right { Ok(()) } else { Err(mismatch()) }
    }

    fn expected(&self, head: &Parts, body: &[u8], secret: &str) -> Option<String> {
        let mut signed = Vec::new();
        // The signer adds the date itself.
        for name in self.signed_headers.iter().filter(|name| *name != DATE) {
            // The signer would invent a missing `Host`.
            head.headers.get(name)?;
            for value in head.headers.get_all(name) {
                signed.push((name.as_str(), value.to_str().ok()?));
            }
        }
        let mut settings = SigningSettings::default();
        settings.excluded_headers = None;
        let identity = Credentials::new(&self.access_key_id, secret, None, None, "keys").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(self.signed_at_ms))
            .settings(settings)
            .build()
            .ok()?
            .into();
        let uri = head.uri.to_string();
        let body = SignableBody::Bytes(body);
        let request =
            SignableRequest::new(head.method.as_str(), uri, signed.into_iter(), body).ok()?;
        Some(sign(request, &params).ok()?.into_parts().1)
    }
}

/// Refuses a request if a proxy could add a meaningful header to it or send it elsewhere.
fn check_signed(headers: &HeaderMap, signed: &[String]) -> Result<(), ApiError> {
    let is_signed = |name: &str| signed.iter().any(|signed| signed == name);
    let meaning = headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    match std::iter::once("host").chain(meaning).find(|name| !is_signed(name)) {
        Some(name) => {
            Err(invalid(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")))
        }
        None => Ok(()),
    }
}

/// Returns the value of a header that occurs once.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Parses `20150830T123600Z` to milliseconds since 1970.
fn read_date(date: &str) -> Option<u64> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let date = PrimitiveDateTime::parse(date, format).ok()?;
    u64::try_from(date.assume_utc().unix_timestamp()).ok()?.checked_mul(1000)
}

fn incomplete(text: &str) -> ApiError {
    ApiError::IncompleteSignature(text.to_owned())
}

fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::InvalidSignature(text.into())
}

fn mismatch() -> ApiError {
    invalid(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
    )
}

#[cfg(test)]
mod tests;
