//! The SDK configuration of code that runs as a Lambda function.
//!
//! Lambda gives a function its region and credentials in the environment. This reads just these
//! instead of the SDK's whole chain: profiles, container and instance metadata, web identity. That
//! keeps megabytes out of a step's binary, and a step without credentials never waits seconds for a
//! metadata service.

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::SharedCredentialsProvider;

/// Reads region, credentials and endpoint from `AWS_REGION` (or `AWS_DEFAULT_REGION`, else
/// `us-east-1`), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` and
/// `AWS_ENDPOINT_URL_S3` (or `AWS_ENDPOINT_URL`).
///
/// Does no I/O. Missing credentials show up as an error of the first request.
pub fn config_from_env() -> SdkConfig {
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.unwrap_or_else(|| "us-east-1".to_owned())))
        .credentials_provider(SharedCredentialsProvider::new(credentials));
    builder.set_endpoint_url(endpoint);
    builder.build()
}

/// Returns a variable. An empty one counts as absent, as it does in AWS's own tools.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
