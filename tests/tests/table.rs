//! The table over DynamoDB passes the suites of its ports, against the embedded DynamoDB over HTTP.

use sidestep_aws::local_config;
use sidestep_aws::table::{DynamoTable, create_table};
use sidestep_local::dynamodb::DynamoDbServer;
use sidestep_testkit::table::{
    batch_suite, cache_suite, execution_suite, pipeline_suite, trigger_suite,
};
use tokio::net::TcpListener;

/// Serves an embedded DynamoDB with a table, for as long as the folder lives.
async fn serve() -> (DynamoTable, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let server = DynamoDbServer::open(Some(&folder.path().join("state.db"))).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
    let config = local_config("us-east-1").into_builder().endpoint_url(endpoint).build();
    let table = DynamoTable::new(&config, "state");
    create_table(&table).await.unwrap();
    (table, folder)
}

#[tokio::test]
async fn dynamodb_passes_the_suite_of_executions() {
    let (table, _folder) = serve().await;
    execution_suite(&table).await;
}

#[tokio::test]
async fn dynamodb_passes_the_suite_of_the_cache_index() {
    let (table, _folder) = serve().await;
    cache_suite(&table).await;
}

#[tokio::test]
async fn dynamodb_passes_the_suite_of_triggers() {
    let (table, _folder) = serve().await;
    trigger_suite(&table).await;
}

#[tokio::test]
async fn the_windows_of_the_table_pass_their_suite() {
    let (table, _folder) = serve().await;
    batch_suite(&table).await;
}

#[tokio::test]
async fn dynamodb_passes_the_suite_of_registered_pipelines() {
    let (table, _folder) = serve().await;
    pipeline_suite(&table).await;
}
