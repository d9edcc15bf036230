//! What a signature says.

use std::time::Duration;

/// The signature of a request, and what it says was signed.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    pub(super) access_key_id: String,
    pub(super) region: String,
    pub(super) service: String,
    pub(super) signed_at_ms: u64,
    /// In the order of the header.
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
    /// The time for which a presigned URL is good.
    pub(super) expires_in: Option<Duration>,
}
