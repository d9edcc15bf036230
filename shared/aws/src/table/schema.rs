//! The table's key attributes and its index, for places where no template creates the table.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use sidestep_engine::ports::executions::TableError;

use super::client::DynamoTable;
use super::error::{classify, is};

/// The sparse index of live executions: `Live`, then `StartedAt`.
pub const LIVE_INDEX: &str = "Live";

/// Creates the table unless it exists.
///
/// Deployments create it from their template. This is for the embedded cloud and for tests.
pub async fn create_table(table: &DynamoTable) -> Result<(), TableError> {
    let attribute = |name: &str, kind| {
        let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(kind);
        attribute.build().expect("name and type are set")
    };
    let key = |name: &str, kind| {
        let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
        key.build().expect("name and type are set")
    };
    let live = GlobalSecondaryIndex::builder()
        .index_name(LIVE_INDEX)
        .key_schema(key("Live", KeyType::Hash))
        .key_schema(key("StartedAt", KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .expect("name and keys are set");
    let created = table
        .client
        .create_table()
        .table_name(&table.name)
        .attribute_definitions(attribute("PK", ScalarAttributeType::S))
        .attribute_definitions(attribute("SK", ScalarAttributeType::S))
        .attribute_definitions(attribute("Live", ScalarAttributeType::S))
        .attribute_definitions(attribute("StartedAt", ScalarAttributeType::N))
        .key_schema(key("PK", KeyType::Hash))
        .key_schema(key("SK", KeyType::Range))
        .global_secondary_indexes(live)
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await;
    match created {
        Ok(_) => Ok(()),
        Err(error) if is(&error, "ResourceInUseException") => Ok(()),
        Err(error) => Err(classify("create", &table.name, error)),
    }
}
