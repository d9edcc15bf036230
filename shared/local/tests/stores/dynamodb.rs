//! DynamoDB: the conditional update that everything else is built on.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType,
};
use sidestep_local::dynamodb::DynamoDbServer;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

async fn serve(server: DynamoDbServer) -> (Client, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(async move { server.serve(listener, async { drop(stopped.await) }).await });
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(sidestep_aws::plain_http_client())
        .endpoint_url(endpoint)
        .region(Region::new(crate::cloud::REGION))
        .credentials_provider(Credentials::new("any", "thing", None, None, "test"))
        .build();
    (Client::from_conf(config), stop)
}

async fn create_table(client: &Client) {
    let key = KeySchemaElement::builder().attribute_name("PK").key_type(KeyType::Hash).build();
    let attribute = AttributeDefinition::builder()
        .attribute_name("PK")
        .attribute_type(ScalarAttributeType::S)
        .build();
    let create = client
        .create_table()
        .table_name("state")
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key.unwrap())
        .attribute_definitions(attribute.unwrap());
    create.send().await.unwrap();
}

fn key() -> HashMap<String, AttributeValue> {
    HashMap::from([("PK".to_owned(), AttributeValue::S("HEAD".to_owned()))])
}

/// Moves the version on from `from`, if it is still there.
async fn advance(client: &Client, from: u32) -> Result<(), HashMap<String, AttributeValue>> {
    let number = |value: u32| AttributeValue::N(value.to_string());
    let update = client
        .update_item()
        .table_name("state")
        .set_key(Some(key()))
        .update_expression("SET #v = :to")
        .condition_expression("attribute_not_exists(#v) OR #v = :from")
        .expression_attribute_names("#v", "Version")
        .expression_attribute_values(":from", number(from))
        .expression_attribute_values(":to", number(from + 1))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match update.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = error.into_service_error();
            assert!(error.is_conditional_check_failed_exception(), "{error:?}");
            let aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(failed) =
                error
            else {
                unreachable!("just checked")
            };
            Err(failed.item.expect("the winner's item"))
        }
    }
}

#[tokio::test]
async fn a_lost_conditional_update_returns_the_winners_item() {
    let (client, _stop) = serve(DynamoDbServer::open(None).unwrap()).await;
    create_table(&client).await;
    advance(&client, 0).await.unwrap();
    advance(&client, 1).await.unwrap();
    let winner = advance(&client, 1).await.unwrap_err();
    assert_eq!(winner["Version"], AttributeValue::N("2".to_owned()));
}

#[tokio::test]
async fn items_on_file_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dynamodb.sqlite");
    let (client, stop) = serve(DynamoDbServer::open(Some(&path)).unwrap()).await;
    create_table(&client).await;
    advance(&client, 0).await.unwrap();
    drop((client, stop));
    let (client, _stop) = serve(DynamoDbServer::open(Some(&path)).unwrap()).await;
    let found = client.get_item().table_name("state").set_key(Some(key())).send().await.unwrap();
    assert_eq!(found.item.unwrap()["Version"], AttributeValue::N("1".to_owned()));
}
