//! Versions of step functions: published, configured where to report, and made live.
//!
//! Lambda keeps the configuration of asynchronous invocations per version. A version without one is
//! tried three times, and its results are reported nowhere. So a version gets its configuration
//! before the alias `live` points at it.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::types::{DestinationConfig, OnFailure, OnSuccess};

use super::error::{DeployError, code, message, service};
use crate::lambda::LIVE_ALIAS;

/// Lambda reports events older than this as failed instead of starting a step late.
const EVENT_AGE_SECONDS: i32 = 3600;
/// What Lambda answers while a function is being changed.
const BUSY: &str = "ResourceConflictException";
/// The number of seconds that Lambda may take to make a changed function ready.
const READY_TRIES: u32 = 120;

/// The version that new executions use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub function_name: String,
    pub version: String,
    /// True if this version was not live before.
    pub is_new: bool,
}

/// The functions of an account and region.
#[derive(Debug, Clone)]
pub struct Releases {
    client: Client,
}

impl Releases {
    /// Makes the adapter without any request.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// Publishes the function's code as it is now and makes it live. Unchanged code keeps its
    /// version.
    ///
    /// A function that `has_sdk` reports its successes itself, so Lambda does not.
    pub async fn release(
        &self,
        function_name: &str,
        reports_arn: &str,
        has_sdk: bool,
    ) -> Result<Release, DeployError> {
        let version = self.publish(function_name).await?;
        self.report(function_name, &version, reports_arn, has_sdk).await?;
        let current = self.live(function_name).await?;
        let is_new = current.as_deref() != Some(&version);
        if current.is_none() {
            let create = || {
                let create = self.client.create_alias().function_name(function_name);
                create.name(LIVE_ALIAS).function_version(&version).send()
            };
            let created = until_ready(create).await;
            created.map_err(service("release", function_name))?;
        } else if is_new {
            let update = || {
                let update = self.client.update_alias().function_name(function_name);
                update.name(LIVE_ALIAS).function_version(&version).send()
            };
            let updated = until_ready(update).await;
            updated.map_err(service("release", function_name))?;
        }
        Ok(Release { function_name: function_name.to_owned(), version, is_new })
    }

    async fn publish(&self, function_name: &str) -> Result<String, DeployError> {
        let publish = || self.client.publish_version().function_name(function_name).send();
        let published = until_ready(publish).await.map_err(service("publish", function_name))?;
        Ok(published.version().unwrap_or("$LATEST").to_owned())
    }

    /// Sets where Lambda reports the results of a version.
    async fn report(
        &self,
        function_name: &str,
        version: &str,
        reports_arn: &str,
        has_sdk: bool,
    ) -> Result<(), DeployError> {
        let success = OnSuccess::builder().destination(reports_arn).build();
        let destinations = DestinationConfig::builder()
            .set_on_success(Some(success).filter(|_| !has_sdk))
            .on_failure(OnFailure::builder().destination(reports_arn).build())
            .build();
        let put = || {
            let put = self.client.put_function_event_invoke_config();
            put.function_name(function_name)
                .qualifier(version)
                .maximum_retry_attempts(0)
                .maximum_event_age_in_seconds(EVENT_AGE_SECONDS)
                .destination_config(destinations.clone())
                .send()
        };
        until_ready(put).await.map_err(service("set where it reports, of", function_name))?;
        Ok(())
    }

    /// Returns the function's live version, if it was ever released.
    pub async fn live(&self, function_name: &str) -> Result<Option<String>, DeployError> {
        let alias = self.client.get_alias().function_name(function_name).name(LIVE_ALIAS);
        match alias.send().await {
            Ok(alias) => Ok(alias.function_version().map(str::to_owned)),
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(service("look up the version of", function_name)(error)),
        }
    }
}

/// Calls Lambda until the function that is still being changed takes the call.
///
/// Each call is safe to repeat: a version of unchanged code is the same version.
async fn until_ready<T, E, R, F>(call: impl Fn() -> F) -> Result<T, SdkError<E, R>>
where
    F: Future<Output = Result<T, SdkError<E, R>>>,
    E: ProvideErrorMetadata,
{
    let mut tries = 1;
    loop {
        match call().await {
            Err(error)
                if code(&error) == Some(BUSY)
                    && !message(&error).contains("already exist")
                    && tries < READY_TRIES =>
            {
                tries += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            result => return result,
        }
    }
}
