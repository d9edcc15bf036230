//! Digests of objects: the strongest one that S3 knows, and SHA-256 in its two spellings.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// Returns the best digest that S3 gives. A checksum of several parts (`...-N`) is not a digest of
/// the content.
pub fn digest(
    recorded: Option<&str>,
    checksum: Option<&str>,
    version: Option<&str>,
    etag: Option<&str>,
) -> String {
    let recorded = recorded.filter(|hex| is_sha256(hex)).map(str::to_owned);
    if let Some(hex) = recorded.or_else(|| checksum.and_then(from_base64)) {
        return format!("sha256:{hex}");
    }
    let etag = etag.unwrap_or_default().trim_matches('"');
    match version {
        // A bucket without versioning gives no version, or "null" if versioning was suspended.
        None | Some("null") => format!("etag:{etag}"),
        Some(version) => format!("version:{version}:{etag}"),
    }
}

/// Converts a SHA-256 in hexadecimal to the base64 that S3's headers want.
pub(super) fn to_base64(hex_digits: &str) -> String {
    BASE64_STANDARD.encode(hex::decode(hex_digits).unwrap_or_default())
}

fn from_base64(text: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    (bytes.len() == 32).then(|| hex::encode(bytes))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn the_strongest_digest_wins() {
        let checksum = to_base64(EMPTY);
        let sha256 = format!("sha256:{EMPTY}");
        assert_eq!(digest(Some(EMPTY), None, Some("v1"), Some("\"e\"")), sha256);
        assert_eq!(digest(None, Some(&checksum), Some("v1"), Some("\"e\"")), sha256);
        assert_eq!(digest(None, None, Some("v1"), Some("\"e\"")), "version:v1:e");
        assert_eq!(digest(None, None, Some("null"), Some("\"e\"")), "etag:e");
    }

    #[test]
    fn metadata_or_a_checksum_that_is_not_a_sha256_is_ignored() {
        let parts = format!("{}-3", to_base64(EMPTY));
        assert_eq!(digest(Some("SHA!"), Some(&parts), None, Some("\"e-3\"")), "etag:e-3");
    }
}
