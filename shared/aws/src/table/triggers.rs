//! Triggers in the table.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sidestep_core::event::trigger::Trigger;
use sidestep_engine::ports::executions::TableError;
use sidestep_engine::ports::triggers::TriggerStore;

use super::DynamoTable;
use super::error::classify;
use super::item::{Item, body, document, keyed, string};
use super::key::{BUCKETS, bucket_key};

#[async_trait]
impl TriggerStore for DynamoTable {
    async fn triggers(&self, bucket: &str) -> Result<Vec<Trigger>, TableError> {
        self.query_all(&bucket_key(bucket)).await?.iter().map(body).collect()
    }

    async fn replace_triggers(&self, triggers: &[Trigger]) -> Result<(), TableError> {
        let mut wanted: Vec<Item> = Vec::new();
        for (position, trigger) in triggers.iter().enumerate() {
            let name = format!("{}#{position}", trigger.pipeline_name);
            wanted.push(document(bucket_key(&trigger.bucket), name, trigger));
            wanted.push(document(BUCKETS, trigger.bucket.clone(), &()));
        }
        let keys: BTreeSet<_> = wanted.iter().map(key).collect::<Result<_, _>>()?;
        let mut known = self.query_all(BUCKETS).await?;
        for bucket in known.clone() {
            known.extend(self.query_all(&bucket_key(string(&bucket, "SK")?)).await?);
        }
        // The new ones are written first, so that an upload in between finds a trigger.
        for item in wanted {
            let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
            put.send().await.map_err(|error| classify("write", "a trigger", error))?;
        }
        for item in &known {
            let (pk, sk) = key(item)?;
            if keys.contains(&(pk.clone(), sk.clone())) {
                continue;
            }
            let delete = self.client.delete_item().table_name(&self.name);
            let deleted = delete.set_key(Some(keyed(pk.as_str(), sk))).send().await;
            deleted.map_err(|error| classify("delete", &pk, error))?;
        }
        Ok(())
    }
}

fn key(item: &Item) -> Result<(String, String), TableError> {
    Ok((string(item, "PK")?.to_owned(), string(item, "SK")?.to_owned()))
}
