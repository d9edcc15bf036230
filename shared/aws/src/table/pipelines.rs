//! Registered pipelines in the table.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_engine::ports::executions::TableError;
use sidestep_engine::ports::pipelines::{
    Answered, Label, PipelineRecord, PipelineStore, VersionRecord,
};

use super::DynamoTable;
use super::error::{classify, is};
use super::item::{EXPIRES_AT, Item, body, document, number, string, unreadable};
use super::key::{PIPELINES, answer_key, execution_id, execution_key, pipeline_key, version_key};

const PIPELINE: &str = "PIPELINE";
const LABEL: &str = "LABEL";
const ANSWER: &str = "ANSWER";

#[async_trait]
impl PipelineStore for DynamoTable {
    async fn pipeline(&self, name: &PipelineName) -> Result<Option<PipelineRecord>, TableError> {
        let item = self.get(pipeline_key(name), PIPELINE).await?;
        item.as_ref().map(body).transpose()
    }

    async fn pipelines(&self) -> Result<Vec<PipelineRecord>, TableError> {
        let names = self.pipeline_names().await?;
        let keys = names.iter().map(|name| (pipeline_key(name), PIPELINE.to_owned()));
        // A name without a record belongs to a pipeline that was run from a file.
        let items = self.batch_get(keys.collect()).await?;
        let mut records: Vec<PipelineRecord> = items.iter().map(body).collect::<Result<_, _>>()?;
        records.sort_unstable_by(|a, b| a.pipeline_name.cmp(&b.pipeline_name));
        Ok(records)
    }

    async fn put_pipeline(
        &self,
        record: &PipelineRecord,
        version: Option<&VersionRecord>,
    ) -> Result<bool, TableError> {
        let name = &record.pipeline_name;
        let mut item = document(pipeline_key(name), PIPELINE, record);
        item.insert("Revision".to_owned(), number(record.revision));
        let put = |item: Item| Put::builder().table_name(&self.name).set_item(Some(item));
        let put_record = if record.revision == 1 {
            put(item).condition_expression("attribute_not_exists(PK)")
        } else {
            put(item)
                .condition_expression("Revision = :before")
                .expression_attribute_values(":before", number(record.revision - 1))
        };
        let mut puts = vec![put_record, put(document(PIPELINES, name.as_str(), &()))];
        puts.extend(version.map(|version| {
            put(document(pipeline_key(name), version_key(version.version_id), version))
        }));
        let transact = |put: PutBuilder| {
            let put = put.build().expect("table and item are set");
            TransactWriteItem::builder().put(put).build()
        };
        let writes = puts.into_iter().map(transact).collect();
        let sent = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        match sent {
            Ok(_) => Ok(true),
            // Usually the condition failed. A conflict with another transaction is the same race.
            Err(error) if is(&error, "TransactionCanceledException") => {
                // A write that timed out after it had succeeded finds its own record.
                Ok(self.pipeline(name).await?.as_ref() == Some(record))
            }
            Err(error) => Err(classify("write pipeline", name.as_str(), error)),
        }
    }

    async fn version(
        &self,
        name: &PipelineName,
        version_id: u64,
    ) -> Result<Option<VersionRecord>, TableError> {
        let item = self.get(pipeline_key(name), &version_key(version_id)).await?;
        item.as_ref().map(body).transpose()
    }

    async fn versions(&self, name: &PipelineName) -> Result<Vec<VersionRecord>, TableError> {
        let items = self.query_beginning(pipeline_key(name), "V#", "read versions of").await?;
        items.iter().map(body).collect()
    }

    async fn put_label(&self, id: &ExecutionId, label: &Label) -> Result<(), TableError> {
        let item = document(execution_key(id), LABEL, label);
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        put.send().await.map_err(|error| classify("label", id.as_str(), error))?;
        Ok(())
    }

    async fn labels(&self, of: &[ExecutionId]) -> Result<BTreeMap<ExecutionId, Label>, TableError> {
        let keys = of.iter().map(|id| (execution_key(id), LABEL.to_owned()));
        let items = self.batch_get(keys.collect()).await?;
        let labels = items.iter().map(|item| Ok((execution_id(item)?, body(item)?)));
        labels.collect()
    }

    async fn answered(&self, key: &str, now_ms: u64) -> Result<Option<Answered>, TableError> {
        let item = self.get(answer_key(key), ANSWER).await?;
        let answered: Option<Answered> = item.as_ref().map(body).transpose()?;
        // DynamoDB deletes an expired item only within days.
        Ok(answered.filter(|answered| answered.is_valid(now_ms)))
    }

    async fn remember(
        &self,
        key: &str,
        answered: &Answered,
        now_ms: u64,
    ) -> Result<Answered, TableError> {
        let mut item = document(answer_key(key), ANSWER, answered);
        item.extend(answered.expires_at.map(|at| (EXPIRES_AT.to_owned(), number(at))));
        let condition = format!("attribute_not_exists(PK) OR {EXPIRES_AT} <= :now");
        let values = [(":now".to_owned(), number(now_ms / 1000))].into();
        let existing = self.put_where(item, &condition, Some(values)).await?;
        let earlier = existing.as_ref().map(body).transpose()?;
        Ok(earlier.unwrap_or_else(|| answered.clone()))
    }
}

impl DynamoTable {
    /// Returns the names of all pipelines that were ever started or registered.
    pub(super) async fn pipeline_names(&self) -> Result<Vec<PipelineName>, TableError> {
        let items = self.query_all(PIPELINES).await?;
        let name = |item: &Item| {
            PipelineName::parse(string(item, "SK")?)
                .map_err(|error| unreadable(item, &error.to_string()))
        };
        items.iter().map(name).collect()
    }
}
