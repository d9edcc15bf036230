//! Published versions of functions, and which of them nothing can invoke any more.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_lambda::Client;

use super::error::{DeployError, code, service};

/// A version of a function that a newer one has replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldVersion {
    pub function_name: String,
    pub version: String,
    /// The ARN with the version, by which executions invoke it.
    pub arn: String,
    pub code_bytes: u64,
    /// When the next version was published, in milliseconds since 1970.
    pub replaced_at_ms: u64,
}

/// The versions of the functions of an account and region.
#[derive(Debug, Clone)]
pub struct Versions {
    client: Client,
}

/// A published version, as Lambda lists it.
struct Published {
    number: u64,
    arn: String,
    code_bytes: u64,
    at_ms: u64,
}

impl Versions {
    /// Makes the adapter without any request.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// Returns the versions that were replaced and that no alias points at, oldest first. A
    /// function that does not exist has none.
    pub async fn replaced(&self, function_name: &str) -> Result<Vec<OldVersion>, DeployError> {
        let Some(mut published) = self.published(function_name).await? else {
            return Ok(Vec::new());
        };
        published.sort_by_key(|version| version.number);
        let aliased = self.aliased(function_name).await?;
        let pairs = published.iter().zip(published.iter().skip(1));
        let old = pairs.filter(|(version, _)| !aliased.contains(&version.number.to_string()));
        let version = |(version, next): (&Published, &Published)| OldVersion {
            function_name: function_name.to_owned(),
            version: version.number.to_string(),
            arn: version.arn.clone(),
            code_bytes: version.code_bytes,
            replaced_at_ms: next.at_ms,
        };
        Ok(old.map(version).collect())
    }

    /// Deletes a version. One that is gone is fine.
    pub async fn delete(&self, old: &OldVersion) -> Result<(), DeployError> {
        let delete = self.client.delete_function().function_name(&old.function_name);
        match delete.qualifier(&old.version).send().await {
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(()),
            result => result.map(drop).map_err(service("delete a version of", &old.function_name)),
        }
    }

    async fn published(&self, function_name: &str) -> Result<Option<Vec<Published>>, DeployError> {
        let list = self.client.list_versions_by_function().function_name(function_name);
        let listed = list.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let versions = match listed {
            Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(None),
            listed => listed.map_err(service("list the versions of", function_name))?,
        };
        let published = versions.iter().filter_map(|version| {
            Some(Published {
                // `$LATEST` is no number.
                number: version.version()?.parse().ok()?,
                arn: version.function_arn()?.to_owned(),
                code_bytes: u64::try_from(version.code_size()).unwrap_or_default(),
                at_ms: milliseconds(version.last_modified()?)?,
            })
        });
        Ok(Some(published.collect()))
    }

    /// Returns the versions that the function's aliases point at.
    async fn aliased(&self, function_name: &str) -> Result<BTreeSet<String>, DeployError> {
        let list = self.client.list_aliases().function_name(function_name);
        let listed = list.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let aliases = listed.map_err(service("list the aliases of", function_name))?;
        let mut versions = BTreeSet::new();
        for alias in aliases {
            versions.extend(alias.function_version().map(str::to_owned));
            let routing = alias.routing_config().and_then(|it| it.additional_version_weights());
            versions.extend(routing.into_iter().flat_map(|weights| weights.keys().cloned()));
        }
        Ok(versions)
    }
}

/// Reads Lambda's time, such as `2026-11-27T10:20:30.000+0000`.
fn milliseconds(text: &str) -> Option<u64> {
    use aws_sdk_lambda::primitives::{DateTime, DateTimeFormat};
    let (time, offset) = text.split_at_checked(text.len().checked_sub(5)?)?;
    let text = if offset == "+0000" { format!("{time}Z") } else { text.to_owned() };
    let time = DateTime::from_str(&text, DateTimeFormat::DateTimeWithOffset).ok()?;
    u64::try_from(time.to_millis().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn the_times_of_lambda_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:01.500+0000", Some(1_500)),
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("1970-01-01T01:00:01+01:00", Some(1_000)),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
