//! Reads and writes of items: by key, in batches, by partition, and create-only.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnValuesOnConditionCheckFailure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use sidestep_engine::ports::executions::TableError;

use super::DynamoTable;
use super::error::classify;
use super::item::{Item, keyed, string, text};

/// The most keys of one `BatchGetItem`, by DynamoDB's limit.
const BATCH: usize = 100;
/// The most batches that are under way at a time.
const BATCHES_AT_ONCE: usize = 8;

impl DynamoTable {
    /// Writes an item unless there is one under its key. Returns the existing one, if any.
    pub(super) async fn put_new(&self, item: Item) -> Result<Option<Item>, TableError> {
        self.put_where(item, "attribute_not_exists(PK)", None).await
    }

    /// Writes an item if `condition` holds. Otherwise returns the existing one.
    pub(super) async fn put_where(
        &self,
        item: Item,
        condition: &str,
        values: Option<Item>,
    ) -> Result<Option<Item>, TableError> {
        let name = string(&item, "PK")?.to_owned();
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(None),
            Err(error) => match existing(&error) {
                Some(item) => Ok(Some(item)),
                None => Err(classify("create", &name, error)),
            },
        }
    }

    /// Returns the item under a key. Strongly consistent.
    pub(super) async fn get(&self, pk: String, sk: &str) -> Result<Option<Item>, TableError> {
        let key = keyed(pk.as_str(), sk);
        let get = self.client.get_item().table_name(&self.name).consistent_read(true);
        let found = get.set_key(Some(key)).send().await;
        Ok(found.map_err(|error| classify("read", &format!("{pk} {sk}"), error))?.item)
    }

    /// Returns the items under these keys, in any order. Strongly consistent.
    pub(super) async fn batch_get(
        &self,
        keys: Vec<(String, String)>,
    ) -> Result<Vec<Item>, TableError> {
        self.batch_get_as(keys, true).await
    }

    /// Returns the items under these keys, in any order.
    ///
    /// DynamoDB returns at most 100 items or 16 MB at a time. So many keys are read in several
    /// batches at once, and what a batch leaves out is asked for again. A consistent read costs
    /// twice as much and sees what was written a moment ago.
    pub(super) async fn batch_get_as(
        &self,
        keys: Vec<(String, String)>,
        is_consistent: bool,
    ) -> Result<Vec<Item>, TableError> {
        let keys: Vec<Item> = keys.into_iter().map(|(pk, sk)| keyed(pk, sk)).collect();
        let batches: Vec<_> = keys.chunks(BATCH).map(<[Item]>::to_vec).collect();
        let found = stream::iter(batches).map(|batch| self.one_batch(batch, is_consistent));
        found.buffer_unordered(BATCHES_AT_ONCE).try_concat().await
    }

    async fn one_batch(
        &self,
        mut waiting: Vec<Item>,
        is_consistent: bool,
    ) -> Result<Vec<Item>, TableError> {
        let mut found = Vec::new();
        while !waiting.is_empty() {
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(waiting))
                .consistent_read(is_consistent)
                .build()
                .expect("keys are set");
            let answered =
                self.client.batch_get_item().request_items(&self.name, wanted).send().await;
            let answer = answered.map_err(|error| classify("read items of", &self.name, error))?;
            found.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
            let unprocessed = answer.unprocessed_keys.into_iter().flatten();
            waiting = unprocessed.flat_map(|(_, keys)| keys.keys).collect();
        }
        Ok(found)
    }

    /// Returns the items of a partition whose sort key begins with `sk`, in order. Strongly
    /// consistent.
    pub(super) async fn query_beginning(
        &self,
        pk: String,
        sk: &str,
        operation: &'static str,
    ) -> Result<Vec<Item>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("PK = :pk AND begins_with(SK, :sk)")
            .expression_attribute_values(":pk", text(pk.as_str()))
            .expression_attribute_values(":sk", text(sk));
        let items = query.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        items.map_err(|error| classify(operation, &pk, error))
    }

    /// Returns all items of a partition. Strongly consistent.
    pub(super) async fn query_all(&self, pk: &str) -> Result<Vec<Item>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("PK = :pk")
            .expression_attribute_values(":pk", text(pk));
        let items = query.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        items.map_err(|error| classify("query", pk, error))
    }
}

/// Returns the item that made a create-only write fail.
fn existing(error: &SdkError<PutItemError>) -> Option<Item> {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(failed)) => failed.item().cloned(),
        _ => None,
    }
}
