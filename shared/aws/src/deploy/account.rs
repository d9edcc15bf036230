//! The user's account: credentials and region as the AWS CLI finds them, quotas, data removal.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::error::{DeployError, code, service};
use crate::http::https_client;
use crate::object::s3_client;

/// Finds credentials, region and endpoint as AWS's own tools do: in the environment, profiles, SSO,
/// credential processes or the instance.
///
/// `AWS_ENDPOINT_URL` points everything at an emulator.
pub async fn account_config() -> Result<SdkConfig, DeployError> {
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(https_client());
    let config = loader.load().await;
    if config.region().is_none() {
        return Err(DeployError::NoRegion);
    }
    Ok(config)
}

/// The number of functions that may run at once in an account and region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    pub limit: i32,
    /// The part of the limit that no function has reserved.
    pub unreserved: i32,
}

/// Returns the account's quota of Lambda.
pub async fn concurrency(config: &SdkConfig) -> Result<Concurrency, DeployError> {
    let found = aws_sdk_lambda::Client::new(config).get_account_settings().send().await;
    let settings = found.map_err(service("look at the quotas of", "Lambda"))?;
    let limits = settings.account_limit();
    Ok(Concurrency {
        limit: limits.map_or(0, |limits| limits.concurrent_executions),
        unreserved: limits
            .and_then(|limits| limits.unreserved_concurrent_executions)
            .unwrap_or_default(),
    })
}

/// Deletes a bucket with every version of every object in it.
pub async fn empty_bucket(config: &SdkConfig, bucket: &str) -> Result<(), DeployError> {
    let client = s3_client(config);
    loop {
        let listed = match client.list_object_versions().bucket(bucket).send().await {
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
        let delete = Delete::builder()
            .set_objects(Some(objects))
            .quiet(true)
            .build()
            .expect("objects are set");
        let deleted = client.delete_objects().bucket(bucket).delete(delete).send().await;
        let outcome = deleted.map_err(service("empty", bucket))?;
        if let Some(error) = outcome.errors().first() {
            return Err(DeployError::Refused {
                stack: bucket.to_owned(),
                reason: error.message().unwrap_or("an object cannot be deleted").to_owned(),
            });
        }
    }
    client.delete_bucket().bucket(bucket).send().await.map_err(service("delete", bucket))?;
    Ok(())
}

/// Deletes a table, if it exists.
pub async fn remove_table(config: &SdkConfig, table: &str) -> Result<(), DeployError> {
    let client = aws_sdk_dynamodb::Client::new(config);
    match client.delete_table().table_name(table).send().await {
        Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(()),
        result => result.map(drop).map_err(service("delete", table)),
    }
}
