//! Presigned URLs of S3: the signature is in the query and may be used until it expires.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;

use super::claim::Claim;
use super::rules::{
    ALGORITHM, Refused, S3, SKEW_MS, Scope, Secrets, TOKEN, check_signed, incomplete, invalid,
};

/// The parameters that the signer adds.
const ADDED: [&str; 6] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
];
/// The longest time for which a URL may be good: a week.
const EXPIRES_MAX: u64 = 7 * 24 * 60 * 60;

/// Returns the claim of a presigned URL, and refuses what can be refused without its signature.
///
/// Returns `None` for a URL that is not presigned.
pub(super) fn read(
    uri: &Uri,
    headers: &HeaderMap,
    keys: &dyn Secrets,
    now_ms: u64,
) -> Option<Result<Claim, Refused>> {
    Some(Presigned::find(uri)?.claim(headers, keys, now_ms))
}

/// The parameters of a presigned URL, by their names in lower case.
struct Presigned(BTreeMap<String, String>);

impl Presigned {
    /// Returns the parameters of a URL that has a signature.
    fn find(uri: &Uri) -> Option<Self> {
        let pairs = uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let parameters: BTreeMap<_, _> = pairs
            .map(|(name, value)| (decoded(name).to_ascii_lowercase(), decoded(value)))
            .collect();
        parameters.contains_key("x-amz-signature").then_some(Self(parameters))
    }

    fn claim(
        &self,
        headers: &HeaderMap,
        keys: &dyn Secrets,
        now_ms: u64,
    ) -> Result<Claim, Refused> {
        if self.part("x-amz-algorithm")? != ALGORITHM {
            return Err(incomplete(&format!("X-Amz-Algorithm only supports '{ALGORITHM}'.")));
        }
        let (credential, date) = (self.part("x-amz-credential")?, self.part("x-amz-date")?);
        let Scope { access_key_id, region, signed_at_ms } = Scope::read(credential, date, S3)?;
        let asked = self.part("x-amz-expires")?.parse().ok();
        let allowed = asked.filter(|seconds| (1..=EXPIRES_MAX).contains(seconds));
        let seconds = allowed.ok_or_else(|| {
            incomplete(&format!("X-Amz-Expires must be between 1 and {EXPIRES_MAX} seconds."))
        })?;
        let names = self.part("x-amz-signedheaders")?;
        let signed_headers: Vec<_> = names.split(';').map(str::to_owned).collect();
        check_signed(headers, &signed_headers)?;
        keys.secret(access_key_id).ok_or(Refused::UnknownKey)?;
        keys.check_token(access_key_id, self.0.get(TOKEN).map(String::as_str), now_ms)?;
        let is_early = now_ms.saturating_add(SKEW_MS) < signed_at_ms;
        if is_early || now_ms > signed_at_ms.saturating_add(seconds * 1000) {
            return Err(invalid("Request has expired"));
        }
        Ok(Claim {
            access_key_id: access_key_id.to_owned(),
            region: region.to_owned(),
            service: S3.to_owned(),
            signed_at_ms,
            signed_headers,
            signature: self.part("x-amz-signature")?.to_owned(),
            expires_in: Some(Duration::from_secs(seconds)),
        })
    }

    fn part(&self, name: &str) -> Result<&str, Refused> {
        let value = self.0.get(name).filter(|value| !value.is_empty());
        value.map(String::as_str).ok_or_else(|| {
            incomplete(&format!("Query-string authentication requires the parameter '{name}'."))
        })
    }
}

/// Returns the URL without the parameters that the signer adds.
pub(super) fn without_signature(uri: &Uri) -> Option<Uri> {
    let is_added = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        ADDED.iter().any(|added| name.eq_ignore_ascii_case(added))
    };
    let query = uri.query().unwrap_or_default();
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_added(pair)).collect();
    let (host, path) = (uri.authority(), uri.path());
    let target =
        if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    match host {
        Some(host) => format!("http://{host}{target}").parse().ok(),
        None => target.parse().ok(),
    }
}
