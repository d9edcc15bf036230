//! The user's account: credentials and region as the AWS CLI finds them, quotas, data removal.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::error::{DeployError, code, service};
use crate::http::{http_client, https_client};
use crate::object::store::s3_client;

/// The pause between two looks at a table that is being deleted.
const POLL: Duration = Duration::from_millis(500);

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

/// An account and region, as the credentials say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: String,
    pub region: String,
}

/// Returns the account that the credentials belong to.
pub async fn caller(config: &SdkConfig) -> Result<Account, DeployError> {
    let builder = aws_sdk_sts::config::Builder::from(config).http_client(http_client(config));
    let client = aws_sdk_sts::Client::from_conf(builder.build());
    let found = client.get_caller_identity().send().await;
    let identity = found.map_err(service("find the account of the credentials with", "STS"))?;
    let region = config.region().ok_or(DeployError::NoRegion)?.to_string();
    Ok(Account { id: identity.account().unwrap_or_default().to_owned(), region })
}

/// What Lambda allows an account and region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The number of functions that may run at once.
    pub concurrency: i32,
    /// The part of it that no function has reserved.
    pub unreserved: i32,
    /// The part of it that one function has reserved.
    pub reserved_by: i32,
    /// The bytes of all code, and how many there may be.
    pub code_bytes: i64,
    pub code_bytes_limit: i64,
}

/// Returns the account's quotas of Lambda, and what `function` has reserved of them.
pub async fn limits(config: &SdkConfig, function: &str) -> Result<Limits, DeployError> {
    let client = aws_sdk_lambda::Client::new(config);
    let found = client.get_account_settings().send().await;
    let settings = found.map_err(service("look at the quotas of", "Lambda"))?;
    let reserved = match client.get_function_concurrency().function_name(function).send().await {
        Ok(found) => found.reserved_concurrent_executions().unwrap_or_default(),
        // A function that does not exist has reserved nothing.
        Err(error) if code(&error) == Some("ResourceNotFoundException") => 0,
        Err(error) => return Err(service("look at the quotas of", function)(error)),
    };
    let (limit, usage) = (settings.account_limit(), settings.account_usage());
    Ok(Limits {
        concurrency: limit.map_or(0, |limit| limit.concurrent_executions),
        unreserved: limit
            .and_then(|limit| limit.unreserved_concurrent_executions)
            .unwrap_or_default(),
        reserved_by: reserved,
        code_bytes: usage.map_or(0, |usage| usage.total_code_size),
        code_bytes_limit: limit.map_or(0, |limit| limit.total_code_size),
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

/// Deletes a table, if it exists, and waits until its name is free.
pub async fn remove_table(config: &SdkConfig, table: &str) -> Result<(), DeployError> {
    let client = aws_sdk_dynamodb::Client::new(config);
    match client.delete_table().table_name(table).send().await {
        Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(()),
        result => result.map(drop).map_err(service("delete", table))?,
    }
    loop {
        match client.describe_table().table_name(table).send().await {
            Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(()),
            described => described.map(drop).map_err(service("look for table", table))?,
        }
        tokio::time::sleep(POLL).await;
    }
}
