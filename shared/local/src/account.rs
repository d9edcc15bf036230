//! The region and the account that the embedded cloud claims to be.

/// The region of every ARN that the embedded cloud makes.
pub const REGION: &str = "us-east-1";

/// The account of every ARN that the embedded cloud makes. No account of AWS has this number.
pub const ACCOUNT_ID: &str = "000000000000";
