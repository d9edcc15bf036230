//! The counts, compared with DynamoDB's own rules on the embedded cloud.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure,
};
use sidestep_aws::counter::Counter;
use sidestep_aws::{SdkConfig, local_config, plain_http_client};
use sidestep_core::view::price::{Usage, service};
use sidestep_local::cloud::{Cloud, Ports, REGION, config_of};
use sidestep_local::deployment::{TABLE, create_resources};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const DYNAMODB: &str = service::DYNAMODB;

fn client(config: &SdkConfig, endpoint: &str, counter: &Counter) -> Client {
    let config = aws_sdk_dynamodb::config::Builder::from(config)
        .http_client(plain_http_client())
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .interceptor(counter.clone());
    Client::from_conf(config.build())
}

struct Table {
    client: Client,
    counter: Counter,
    cloud: Cloud,
    _folder: TempDir,
}

impl Table {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::start(folder.path(), Ports::default()).await.unwrap();
        create_resources(&cloud).await.unwrap();
        let counter = Counter::new("test");
        cloud.open_doors();
        let config = config_of(&cloud.endpoints().credentials);
        let client = client(&config, &cloud.endpoints().dynamodb, &counter);
        Self { client, counter, cloud, _folder: folder }
    }

    fn take(&self) -> Usage {
        self.counter.take().remove("test").unwrap_or_default()
    }

    /// Begins a write of an item with this key.
    fn put_item(&self, partition: &str, sort: &str) -> PutItemFluentBuilder {
        let put = self.client.put_item().table_name(TABLE);
        put.item("PK", text(partition)).item("SK", text(sort))
    }

    /// Writes an item of about `bytes`.
    async fn put(&self, name: &str, bytes: usize) {
        let put = self.put_item(name, "S").item("Body", text(&"b".repeat(bytes)));
        put.send().await.unwrap();
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_takes_a_unit_for_each_started_kilobyte_also_when_its_condition_fails() {
    let table = Table::new().await;
    for (bytes, units) in [(100, 1.0), (1000, 1.0), (1100, 2.0), (4000, 4.0)] {
        table.put(&format!("P{bytes}"), bytes).await;
        let usage = table.take();
        assert_eq!((usage.write_units, usage.read_units), (units, 0.0), "{bytes} bytes");
        assert_eq!(usage.count(DYNAMODB, "PutItem"), 1);
    }
    for (bytes, units) in [(100, 1.0), (4000, 4.0)] {
        let all_old = ReturnValuesOnConditionCheckFailure::AllOld;
        let put = table
            .put_item(&format!("P{bytes}"), "S")
            .condition_expression("attribute_not_exists(PK)")
            .return_values_on_condition_check_failure(all_old);
        put.send().await.unwrap_err();
        assert_eq!(table.take().write_units, units, "a condition that fails on {bytes} bytes");
    }
    let update = table
        .client
        .update_item()
        .table_name(TABLE)
        .key("PK", text("P4000"))
        .key("SK", text("S"))
        .update_expression("SET Small = :small")
        .expression_attribute_values(":small", text("s"));
    update.send().await.unwrap();
    assert_eq!(table.take().write_units, 4.0, "an update is billed by the whole item");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_index_costs_a_write_of_its_own() {
    let table = Table::new().await;
    let put = table
        .put_item("E#1", "HEAD")
        .item("Live", text("1"))
        .item("StartedAt", AttributeValue::N("1".to_owned()));
    put.send().await.unwrap();
    assert_eq!(table.take().write_units, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_takes_a_unit_for_each_started_4_kilobytes_and_half_if_it_may_be_stale() {
    let table = Table::new().await;
    table.put("A", 5000).await;
    table.put("B", 100).await;
    table.take();
    for (consistent, units) in [(true, 2.0), (false, 1.0)] {
        let get = table.client.get_item().table_name(TABLE).consistent_read(consistent);
        get.key("PK", text("A")).key("SK", text("S")).send().await.unwrap();
        assert_eq!(table.take().read_units, units, "consistent: {consistent}");
    }
    let get = table.client.get_item().table_name(TABLE).consistent_read(true);
    get.key("PK", text("absent")).key("SK", text("S")).send().await.unwrap();
    assert_eq!(table.take().read_units, 1.0, "what is not there costs a read, too");

    let keys = ["A", "B"].map(|name| {
        [("PK".to_owned(), text(name)), ("SK".to_owned(), text("S"))].into_iter().collect()
    });
    let both = KeysAndAttributes::builder().set_keys(Some(keys.to_vec())).consistent_read(true);
    let batch = table.client.batch_get_item().request_items(TABLE, both.build().unwrap());
    batch.send().await.unwrap();
    let usage = table.take();
    assert_eq!(usage.read_units, 3.0, "each item of a batch is rounded up");
    assert_eq!(usage.count(DYNAMODB, "BatchGetItem"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_are_one_round_trip() {
    let table = Table::new().await;
    futures::join!(table.put("A", 1), table.put("B", 1), table.put("C", 1));
    assert_eq!(table.counter.usage()["test"].round_trips, 1);
    table.put("D", 1).await;
    let usage = table.take();
    assert_eq!((usage.round_trips, usage.count(DYNAMODB, "PutItem")), (2, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_told_apart_in_one_ledger() {
    let table = Table::new().await;
    let other = table.counter.for_caller("other");
    let endpoints = table.cloud.endpoints();
    let others = client(&config_of(&endpoints.credentials), &endpoints.dynamodb, &other);
    let get = others.get_item().table_name(TABLE).key("PK", text("A"));
    get.key("SK", text("S")).send().await.unwrap();
    table.put("A", 1).await;
    let usage = table.counter.usage();
    assert_eq!(usage["other"].count(DYNAMODB, "GetItem"), 1);
    assert_eq!(usage["test"].count(DYNAMODB, "GetItem"), 0);
    assert_eq!(usage["test"].count(DYNAMODB, "PutItem"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_counted_as_a_request_and_as_a_retry() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = b"HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
    });
    let counter = Counter::new("test");
    let config = local_config(REGION);
    let get =
        client(&config, &endpoint, &counter).get_item().table_name(TABLE).key("PK", text("A"));
    get.send().await.unwrap_err();
    let usage = counter.take().remove("test").unwrap();
    assert_eq!(usage.count(DYNAMODB, "GetItem"), 3, "the SDK's own limit of attempts");
    assert_eq!(usage.retries[DYNAMODB]["GetItem"], 2);
    assert_eq!((usage.round_trips, usage.read_units), (1, 0.0));
}
