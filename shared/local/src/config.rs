//! The configuration of SDKs for the embedded servers.

use aws_config::SdkConfig;
use sidestep_admission::Credentials;
use sidestep_aws::signed_config;

use crate::account::REGION;

/// Returns a configuration for the servers that accept these credentials.
pub fn config_of(credentials: &Credentials) -> SdkConfig {
    let Credentials { access_key_id, secret_access_key } = credentials;
    signed_config(REGION, access_key_id, secret_access_key)
}
