//! Checks Signature Version 4: who sent a request, that it was not changed, and that it is not old.
//!
//! This is pure: the request, the keys and the time are arguments. The `Authorization` header is
//! judged before the body is read. Then the signature is computed again by the crate that AWS's own
//! SDK signs with. One rule is stricter than AWS's: all `x-amz-*` headers must be signed, because
//! the operation is one of them. `Date` in place of `X-Amz-Date` is refused, and so is a session
//! token that is not that of the key. S3 alone has presigned URLs and bodies that are signed by
//! their hash.
//!
//! Errors: <https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html>.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign as signature_of,
};
use aws_sigv4::sign::v4;
use axum::http::HeaderName;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use subtle::ConstantTimeEq as _;

mod claim;
mod presigned;
mod rules;
mod signer;

pub use self::claim::Claim;
pub use self::rules::{Refused, Secrets};
pub use self::signer::sign;

use self::rules::{
    ALGORITHM, CONTENT_SHA256, DATE, S3, SKEW_MS, Scope, TOKEN, check_signed, incomplete, invalid,
    mismatch, text,
};

impl Claim {
    /// Reads the signature of a request to `service`, and refuses what can be refused without the
    /// body.
    pub fn read(
        head: &Parts,
        service: &str,
        keys: &dyn Secrets,
        now_ms: u64,
    ) -> Result<Self, Refused> {
        let headers = &head.headers;
        if service == S3
            && !headers.contains_key(AUTHORIZATION)
            && let Some(claim) = presigned::read(&head.uri, headers, keys, now_ms)
        {
            return claim;
        }
        let authorization = text(headers, &AUTHORIZATION).ok_or(Refused::Missing)?;
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
        let Scope { access_key_id, region, signed_at_ms } = Scope::read(credential, date, service)?;
        check_signed(headers, &signed_headers)?;
        keys.secret(access_key_id).ok_or(Refused::UnknownKey)?;
        let name = HeaderName::from_static(TOKEN);
        let token = text(headers, &name);
        if token.is_none() && headers.contains_key(&name) {
            return Err(Refused::UnknownKey);
        }
        keys.check_token(access_key_id, token, now_ms)?;
        if now_ms.abs_diff(signed_at_ms) > SKEW_MS {
            let what = if signed_at_ms < now_ms { "expired" } else { "not yet current" };
            return Err(invalid(format!(
                "Signature {what}: {date} is more than 15 minutes from the time here."
            )));
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_at_ms,
            signed_headers,
            signature: signature.to_owned(),
            expires_in: None,
        })
    }

    /// Returns the id of the key that signed.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// Computes the signature again and compares them, in constant time.
    pub fn verify(&self, head: &Parts, body: &[u8], keys: &dyn Secrets) -> Result<(), Refused> {
        self.compare(head, SignableBody::Bytes(body), keys)
    }

    /// Does [`Claim::verify`] for a request to S3, which signs the hash that a header names.
    ///
    /// The body may be too large to read first. So it is not compared with the hash here.
    pub fn verify_head(&self, head: &Parts, keys: &dyn Secrets) -> Result<(), Refused> {
        let body = match text(&head.headers, &HeaderName::from_static(CONTENT_SHA256)) {
            Some(hash) => SignableBody::Precomputed(hash.to_owned()),
            None if self.expires_in.is_some() => SignableBody::UnsignedPayload,
            None => return Err(invalid(format!("Missing required header: {CONTENT_SHA256}"))),
        };
        self.compare(head, body, keys)
    }

    fn compare(
        &self,
        head: &Parts,
        body: SignableBody<'_>,
        keys: &dyn Secrets,
    ) -> Result<(), Refused> {
        let secret = keys.secret(&self.access_key_id).ok_or(Refused::UnknownKey)?;
        let expected = self.expected(head, body, &secret).ok_or_else(mismatch)?;
        let is_right: bool = expected.as_bytes().ct_eq(self.signature.as_bytes()).into();
        if is_right { Ok(()) } else { Err(mismatch()) }
    }

    fn expected(&self, head: &Parts, body: SignableBody<'_>, secret: &str) -> Option<String> {
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
        if self.service == S3 {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let mut uri = head.uri.clone();
        if self.expires_in.is_some() {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = self.expires_in;
            uri = presigned::without_signature(&uri)?;
        }
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
        let (method, uri) = (head.method.as_str(), uri.to_string());
        let request = SignableRequest::new(method, uri, signed.into_iter(), body).ok()?;
        Some(signature_of(request, &params).ok()?.into_parts().1)
    }
}

#[cfg(test)]
mod tests;
