//! What an earlier stack left behind, found by name: its table and its buckets.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{KeyType, TableStatus};

use super::error::{DeployError, code, service};
use crate::object::store::s3_client;

/// Whose a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    Ours,
    /// It exists, and these credentials may not look at it.
    Foreign,
}

/// What is there of a stack's table and buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// The table, and whether sidestep made it.
    pub table: Option<(String, bool)>,
    pub buckets: Vec<(String, Bucket)>,
}

impl Leftovers {
    pub fn is_empty(&self) -> bool {
        self.table.is_none() && self.buckets.is_empty()
    }

    /// Returns the names of what is not sidestep's and would be in the way.
    pub fn foreign(&self) -> Vec<String> {
        let others = self.table.iter().filter(|(_, is_ours)| !is_ours);
        let table = others.map(|(name, _)| format!("table `{name}`"));
        let buckets = self.buckets.iter().filter(|(_, whose)| *whose == Bucket::Foreign);
        table.chain(buckets.map(|(name, _)| format!("bucket `{name}`"))).collect()
    }

    /// Returns the names of what sidestep made.
    pub fn ours(&self) -> Vec<String> {
        let own = self.table.iter().filter(|(_, is_ours)| *is_ours);
        let table = own.map(|(name, _)| format!("table {name}"));
        let buckets = self.buckets.iter().filter(|(_, whose)| *whose == Bucket::Ours);
        table.chain(buckets.map(|(name, _)| format!("s3://{name}/"))).collect()
    }
}

/// Looks for a table and for buckets of these names. `s3` is the configuration for S3.
pub async fn leftovers(
    config: &SdkConfig,
    s3: &SdkConfig,
    table: &str,
    buckets: &[String],
) -> Result<Leftovers, DeployError> {
    let mut found = Leftovers { table: find_table(config, table).await?, buckets: Vec::new() };
    for bucket in buckets {
        if let Some(whose) = find_bucket(s3, bucket).await? {
            found.buckets.push((bucket.clone(), whose));
        }
    }
    Ok(found)
}

/// Returns the table's name, and true if its keys are those of sidestep's table.
async fn find_table(config: &SdkConfig, name: &str) -> Result<Option<(String, bool)>, DeployError> {
    let client = aws_sdk_dynamodb::Client::new(config);
    let described = match client.describe_table().table_name(name).send().await {
        Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(None),
        described => described.map_err(service("look for table", name))?,
    };
    let Some(table) = described.table() else { return Ok(None) };
    if table.table_status() == Some(&TableStatus::Deleting) {
        return Ok(None);
    }
    let keys: Vec<_> =
        table.key_schema().iter().map(|key| (key.attribute_name(), key.key_type())).collect();
    let has_keys = keys == [("PK", &KeyType::Hash), ("SK", &KeyType::Range)];
    let has_index =
        table.global_secondary_indexes().iter().any(|index| index.index_name() == Some("Live"));
    Ok(Some((name.to_owned(), has_keys && has_index)))
}

/// Returns whose the bucket is, if it exists.
async fn find_bucket(config: &SdkConfig, name: &str) -> Result<Option<Bucket>, DeployError> {
    match s3_client(config).head_bucket().bucket(name).send().await {
        Ok(_) => Ok(Some(Bucket::Ours)),
        // S3 answers a HEAD without a body, so the status is all there is.
        Err(error) => match error.raw_response().map(|raw| raw.status().as_u16()) {
            Some(404) => Ok(None),
            Some(301 | 400 | 403) => Ok(Some(Bucket::Foreign)),
            _ => Err(service("look for bucket", name)(error)),
        },
    }
}
