//! The cache index in the table.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::ReturnValue;
use sidestep_core::cache_key::CacheKey;
use sidestep_core::commit::CacheEntry;
use sidestep_engine::store::{CacheIndex, TableError};

use super::DynamoTable;
use super::error::classify;
use super::item::{body, document};

const ENTRY: &str = "ENTRY";

#[async_trait]
impl CacheIndex for DynamoTable {
    async fn entries(&self, keys: &[CacheKey]) -> Result<Vec<CacheEntry>, TableError> {
        let keys = keys.iter().map(|key| (format!("K#{key}"), ENTRY.to_owned())).collect();
        self.batch_get(keys).await?.iter().map(body).collect()
    }

    async fn publish(&self, entry: &CacheEntry) -> Result<Option<CacheEntry>, TableError> {
        let key = entry.key();
        let item = document(format!("K#{key}"), ENTRY, entry);
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        // The replaced entry comes back at no cost of its own.
        let put = put.return_values(ReturnValue::AllOld).send().await;
        let put = put.map_err(|error| classify("publish", key.as_str(), error))?;
        put.attributes.as_ref().map(body).transpose()
    }
}
