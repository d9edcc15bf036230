//! The user's account: credentials and region as the AWS CLI finds them, and removing data for good.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::error::{DeployError, code, service};
use crate::http::https_client;
use crate::object::s3_client;

/// Credentials, region and endpoint from the environment, profiles, SSO, credential processes or the instance, as in AWS's own tools.
/// `AWS_ENDPOINT_URL` points everything at an emulator.
pub async fn account_config() -> Result<SdkConfig, DeployError> {
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(https_client());
    let config = loader.load().await;
    if config.region().is_none() {
        return Err(DeployError::NoRegion);
    }
    Ok(config)
}

/// How many functions may run at once in an account and region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    pub limit: i32,
    /// What is left beside the concurrency that functions have reserved.
    pub unreserved: i32,
}

/// The account's quota of Lambda.
pub async fn concurrency(config: &SdkConfig) -> Result<Concurrency, DeployError> {
    let settings = aws_sdk_lambda::Client::new(config).get_account_settings().send().await;
    let settings = settings.map_err(service("look at the quotas of", "Lambda"))?;
    let limits = settings.account_limit();
    Ok(Concurrency {
        limit: limits.map_or(0, |limits| limits.concurrent_executions),
        unreserved: limits
            .and_then(|limits| limits.unreserved_concurrent_executions)
            .unwrap_or_default(),
    })
}

/// Deletes every version of every object of a bucket, and the bucket.
pub async fn empty_bucket(config: &SdkConfig, bucket: &str) -> Result<(), DeployError> {
    let client = s3_client(config);
    loop {
        let listed = client.list_object_versions().bucket(bucket).send().await;
        let listed = match listed {
            Err(error) if code(&error) == Some("NoSuchBucket") => return Ok(()),
            listed => listed.map_err(service("list", bucket))?,
        };
        let versions = listed.versions().iter().map(|v| (v.key(), v.version_id()));
        let markers = listed.delete_markers().iter().map(|m| (m.key(), m.version_id()));
        let objects: Vec<_> = versions
            .chain(markers)
            .filter_map(|(key, version)| {
                let object = ObjectIdentifier::builder().key(key?);
                object.set_version_id(version.map(str::to_owned)).build().ok()
            })
            .collect();
        if objects.is_empty() {
            break;
        }
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let delete = delete.expect("objects are set");
        let deleted = client.delete_objects().bucket(bucket).delete(delete).send().await;
        let deleted = deleted.map_err(service("empty", bucket))?;
        if let Some(error) = deleted.errors().first() {
            return Err(DeployError::Refused {
                stack: bucket.to_owned(),
                reason: error.message().unwrap_or("an object cannot be deleted").to_owned(),
            });
        }
    }
    client.delete_bucket().bucket(bucket).send().await.map_err(service("delete", bucket))?;
    Ok(())
}

/// Deletes a table, if there is one.
pub async fn remove_table(config: &SdkConfig, table: &str) -> Result<(), DeployError> {
    let client = aws_sdk_dynamodb::Client::new(config);
    match client.delete_table().table_name(table).send().await {
        Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(()),
        result => result.map(drop).map_err(service("delete", table)),
    }
}
