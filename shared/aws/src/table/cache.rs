//! The cache index in the table.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::ReturnValue;
use sidestep_core::cache::key::CacheKey;
use sidestep_core::execution::commit::CacheEntry;
use sidestep_engine::ports::cache_index::{CacheIndex, CachePage, Cursor};
use sidestep_engine::ports::executions::TableError;

use super::DynamoTable;
use super::error::classify;
use super::item::{body, document, string, text};

const ENTRY: &str = "ENTRY";

#[async_trait]
impl CacheIndex for DynamoTable {
    async fn entries(&self, keys: &[CacheKey]) -> Result<Vec<CacheEntry>, TableError> {
        let keys = keys.iter().map(|key| (format!("K#{key}"), ENTRY.to_owned())).collect();
        // A result of this very second may be missed; then its step runs once more, to the same end.
        self.batch_get_as(keys, false).await?.iter().map(body).collect()
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

    /// One page of a Scan with a filter: entries lie under their keys alone, and an index of them would make every publication cost
    /// more. It reads executions as well and is billed for them.
    async fn page(&self, after: Option<&Cursor>) -> Result<CachePage, TableError> {
        let scan = self.client.scan().table_name(&self.name);
        let scan = scan.filter_expression("SK = :entry");
        let scan = scan.expression_attribute_values(":entry", text(ENTRY));
        let start = after.and_then(|cursor| cursor.0.split_once('\n'));
        let start = start.map(|(pk, sk)| {
            HashMap::from([("PK".to_owned(), text(pk)), ("SK".to_owned(), text(sk))])
        });
        let scan = scan.set_exclusive_start_key(start).send().await;
        let scan = scan.map_err(|error| classify("scan", &self.name, error))?;
        let next = scan.last_evaluated_key().map(|key| {
            let (pk, sk) = (string(key, "PK")?, string(key, "SK")?);
            Ok(Cursor(format!("{pk}\n{sk}")))
        });
        let entries = scan.items().iter().map(body).collect::<Result<_, _>>()?;
        Ok(CachePage { entries, next: next.transpose()? })
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), TableError> {
        let delete = self.client.delete_item().table_name(&self.name);
        let delete = delete.key("PK", text(format!("K#{key}"))).key("SK", text(ENTRY));
        delete.send().await.map_err(|error| classify("remove", key.as_str(), error))?;
        Ok(())
    }
}
