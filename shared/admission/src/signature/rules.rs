//! The parts of a signature that all requests have, and the rules for them.

use axum::http::{HeaderMap, HeaderName};
use time::PrimitiveDateTime;
use time::macros::format_description;

/// The most that the clocks of two machines may differ, as at AWS.
pub(super) const SKEW_MS: u64 = 15 * 60 * 1000;
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(super) const DATE: &str = "x-amz-date";
pub(super) const TOKEN: &str = "x-amz-security-token";

/// The one service whose paths are signed as they are, and that has presigned URLs.
pub(super) const S3: &str = "s3";
pub(super) const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// Secrets by the id of their access key.
pub trait Secrets {
    /// Returns the secret of a key that is known.
    fn secret(&self, access_key_id: &str) -> Option<String>;

    /// Checks the session token of a request, which most keys have none of.
    fn check_token(
        &self,
        _access_key_id: &str,
        token: Option<&str>,
        _now_ms: u64,
    ) -> Result<(), Refused> {
        if token.is_some() { Err(Refused::UnknownKey) } else { Ok(()) }
    }
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The request is not signed, but only signed ones are accepted.
    #[error("Missing Authentication Token")]
    Missing,
    /// The access key is not a known one, or the session token is not that of the key.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The credentials of a role are good for a while.
    #[error("The security token included in the request is expired")]
    Expired,
    /// The `Authorization` header cannot be read.
    #[error("{0}")]
    Incomplete(String),
    /// The request was changed after it was signed, or was signed too long ago or for another
    /// service.
    #[error("{0}")]
    Invalid(String),
}

/// What the credential of a signature says: the key, the region and the time.
pub(super) struct Scope<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) region: &'a str,
    pub(super) signed_at_ms: u64,
}

impl<'a> Scope<'a> {
    pub(super) fn read(credential: &'a str, date: &str, service: &str) -> Result<Self, Refused> {
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
        Ok(Self { access_key_id, region, signed_at_ms })
    }
}

/// Refuses a request if a proxy could add a meaningful header to it or send it elsewhere.
pub(super) fn check_signed(headers: &HeaderMap, signed: &[String]) -> Result<(), Refused> {
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
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Parses `20150830T123600Z` to milliseconds since 1970.
pub(super) fn read_date(date: &str) -> Option<u64> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let date = PrimitiveDateTime::parse(date, format).ok()?;
    u64::try_from(date.assume_utc().unix_timestamp()).ok()?.checked_mul(1000)
}

pub(super) fn incomplete(text: &str) -> Refused {
    Refused::Incomplete(text.to_owned())
}

pub(super) fn invalid(text: impl Into<String>) -> Refused {
    Refused::Invalid(text.into())
}

pub(super) fn mismatch() -> Refused {
    invalid(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
    )
}
