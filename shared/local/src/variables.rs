//! The environment variables of every function.

use std::collections::BTreeMap;

use crate::folder::Endpoints;

/// The variable with the address of SageMaker's API.
pub(crate) const SAGEMAKER: &str = "AWS_ENDPOINT_URL_SAGEMAKER";

/// Returns the variables by which a function reaches the servers through any AWS SDK.
///
/// `sagemaker` is the address of SageMaker's API for them. The one address has the services that
/// have no port of their own, and refuses those that are not here.
pub(crate) fn variables(endpoints: &Endpoints, sagemaker: &str) -> BTreeMap<String, String> {
    [
        ("AWS_ENDPOINT_URL", endpoints.aws.as_deref().unwrap_or_default()),
        ("AWS_ENDPOINT_URL_S3", endpoints.s3.as_str()),
        ("AWS_ENDPOINT_URL_DYNAMODB", &endpoints.dynamodb),
        ("AWS_ENDPOINT_URL_LAMBDA", &endpoints.lambda),
        (SAGEMAKER, sagemaker),
        ("AWS_ENDPOINT_URL_SQS", endpoints.sqs.as_deref().unwrap_or_default()),
        ("AWS_ACCESS_KEY_ID", &endpoints.credentials.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &endpoints.credentials.secret_access_key),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
