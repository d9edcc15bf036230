//! The cache index in the table.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::ReturnValue;
use sidestep_core::cache::key::CacheKey;
use sidestep_core::execution::commit::CacheEntry;
use sidestep_engine::ports::cache_index::{CacheIndex, CachePage, Cursor};
use sidestep_engine::ports::executions::TableError;

use super::DynamoTable;
use super::error::{classify, is};
use super::item::{Item, body, document, keyed, number, numeric, string, text};
use super::key::cache_key;

const ENTRY: &str = "ENTRY";
/// The attribute that holds the time of the last use.
const USED_AT: &str = "UsedAtMs";

#[async_trait]
impl CacheIndex for DynamoTable {
    async fn entries(&self, keys: &[CacheKey]) -> Result<Vec<CacheEntry>, TableError> {
        let keys = keys.iter().map(|key| (cache_key(key), ENTRY.to_owned())).collect();
        // A result of the last second may be missed. Then its step runs again, to the same end.
        self.batch_get_as(keys, false).await?.iter().map(read_entry).collect()
    }

    async fn publish(&self, entry: &CacheEntry) -> Result<Option<CacheEntry>, TableError> {
        let key = entry.key();
        let item = document(cache_key(&key), ENTRY, entry);
        // Returning the replaced entry costs nothing extra.
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        let replaced = put.map_err(|error| classify("publish", key.as_str(), error))?;
        replaced.attributes.as_ref().map(read_entry).transpose()
    }

    /// Reads one page of a filtered Scan, which reads executions as well and is billed for them.
    ///
    /// Entries can be found by their keys alone. An index of them would make every publication cost
    /// more.
    async fn page(&self, after: Option<&Cursor>) -> Result<CachePage, TableError> {
        let start = after.and_then(|cursor| cursor.0.split_once('\n'));
        let scanned = self
            .client
            .scan()
            .table_name(&self.name)
            .filter_expression("SK = :entry")
            .expression_attribute_values(":entry", text(ENTRY))
            .set_exclusive_start_key(start.map(|(pk, sk)| keyed(pk, sk)))
            .send()
            .await;
        let page = scanned.map_err(|error| classify("scan", &self.name, error))?;
        let next = page.last_evaluated_key().map(|key| {
            let (pk, sk) = (string(key, "PK")?, string(key, "SK")?);
            Ok(Cursor(format!("{pk}\n{sk}")))
        });
        let entries = page.items().iter().map(read_entry).collect::<Result<_, _>>()?;
        Ok(CachePage { entries, next: next.transpose()? })
    }

    /// Sets one attribute beside the document, so the document need not be written again.
    async fn touch(&self, key: &CacheKey, at_ms: u64) -> Result<(), TableError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(keyed(cache_key(key), ENTRY)))
            .update_expression(format!("SET {USED_AT} = :at"))
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_values(":at", number(at_ms));
        match update.send().await {
            Err(error) if is(&error, "ConditionalCheckFailedException") => Ok(()),
            result => result.map(drop).map_err(|error| classify("touch", key.as_str(), error)),
        }
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), TableError> {
        let delete = self.client.delete_item().table_name(&self.name);
        let deleted = delete.set_key(Some(keyed(cache_key(key), ENTRY))).send().await;
        deleted.map(drop).map_err(|error| classify("remove", key.as_str(), error))
    }
}

/// Reads an entry with the time of its last use.
fn read_entry(item: &Item) -> Result<CacheEntry, TableError> {
    let entry: CacheEntry = body(item)?;
    Ok(CacheEntry { used_at_ms: numeric(item, USED_AT).ok(), ..entry })
}
