//! Lists of executions and remembered answers in the table, against the embedded DynamoDB.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::future::try_join_all;
use serde_json::{Value, json};
use sidestep_api::Api;
use sidestep_aws::counter::Counter;
use sidestep_aws::table::{DynamoTable, create_table};
use sidestep_aws::{ServiceEndpoints, Settings, counted_engine, local_config};
use sidestep_core::execution::start::Start;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::Deployment;
use sidestep_engine::ports::executions::{ExecutionStore as _, ListRange, Summary};
use sidestep_engine::ports::pipelines::{Label, PipelineRecord, PipelineStore as _};
use sidestep_local::dynamodb::DynamoDbServer;
use sidestep_testkit::fixture;
use sidestep_testkit::memory::MemoryTable;
use tokio::net::TcpListener;

const PIPELINE: &str = "flights";
const FIRST_MS: u64 = 1_700_000_000_000;

struct World {
    table: DynamoTable,
    api: Api,
    counter: Counter,
    _folder: tempfile::TempDir,
}

impl World {
    /// Creates a table, and the API over it, whose requests are counted.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = DynamoDbServer::open(Some(&folder.path().join("state.db"))).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
        let config = local_config("us-east-1").into_builder().endpoint_url(&endpoint).build();
        let table = DynamoTable::new(&config, "state");
        create_table(&table).await.unwrap();
        let counter = Counter::new("api");
        let deployment = Deployment {
            artifact_bucket: "artifacts".to_owned(),
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
        };
        let settings = Settings {
            table: "state".to_owned(),
            timers: None,
            reports: None,
            deployment,
            options: EngineOptions::default(),
        };
        let all = Some(endpoint);
        let endpoints = ServiceEndpoints {
            s3: all.clone(),
            dynamodb: all.clone(),
            lambda: all.clone(),
            sqs: all,
            eventbridge: None,
            sagemaker: None,
        };
        let engine = counted_engine(&local_config("us-east-1"), &endpoints, settings, &counter);
        let api =
            Api::new(Arc::new(engine), Arc::new(table.counted(&counter)), BTreeMap::default());
        Self { table, api, counter, _folder: folder }
    }

    async fn started(&self, count: u8) {
        let starts = starts(count);
        try_join_all(starts.iter().map(|start| self.table.create(start, 1))).await.unwrap();
    }

    async fn list(&self, request: Value) -> Value {
        let body = request.to_string();
        self.api.answer("ListPipelineExecutions", body.as_bytes()).await.unwrap()
    }

    /// Returns the ids of all pages, and the requests to DynamoDB that each took.
    async fn pages(&self, request: &Value) -> (Vec<Vec<String>>, Vec<u64>) {
        let (mut pages, mut requests, mut token) = (Vec::new(), Vec::new(), None::<Value>);
        loop {
            let mut request = request.clone();
            if let Some(token) = &token {
                request["NextToken"] = token.clone();
            }
            self.counter.take();
            let answer = self.list(request).await;
            let usage = self.counter.take().remove("api").unwrap();
            requests.push(usage.requests["DynamoDB"].values().sum());
            let lines = answer["PipelineExecutionSummaries"].as_array().unwrap();
            let id = |line: &Value| {
                let arn = line["PipelineExecutionArn"].as_str().unwrap();
                arn.rsplit('/').next().unwrap().to_owned()
            };
            pages.push(lines.iter().map(id).collect());
            token = answer.get("NextToken").cloned();
            if token.is_none() {
                return (pages, requests);
            }
        }
    }
}

/// Returns two starts at the same time, then two that are 2 ms later.
fn starts(count: u8) -> Vec<Start> {
    (0..count).map(|n| start(n, FIRST_MS + 2 * u64::from(n / 2))).collect()
}

fn start(id: u8, started_at_ms: u64) -> Start {
    fixture::start(PIPELINE, id.wrapping_mul(101), started_at_ms)
}

fn record(alias: &str) -> PipelineRecord {
    PipelineRecord {
        revision: 1,
        pipeline_name: PipelineName::parse(PIPELINE).unwrap(),
        display_name: None,
        description: None,
        role_arn: None,
        max_parallel_execution_steps: None,
        tags: BTreeMap::new(),
        aliases: BTreeMap::from([(alias.to_owned(), 2)]),
        latest_version: 2,
        created_at_ms: FIRST_MS,
        modified_at_ms: FIRST_MS,
        is_deleted: false,
        hidden_until_ms: 0,
    }
}

#[tokio::test]
async fn a_part_of_the_list_is_the_same_in_every_store() {
    let world = World::new().await;
    world.started(9).await;
    let name = PipelineName::parse(PIPELINE).unwrap();
    let memory = MemoryTable::default();
    for start in starts(9) {
        memory.create(&start, 1).await.unwrap();
    }
    let mut all = world.table.list(Some(&name), 100).await.unwrap();
    all.sort_unstable_by_key(Summary::place);
    assert_eq!(all.len(), 9);
    let mut gone = all[4].place();
    gone.started_at_ms += 1;
    let places = all.iter().map(|line| Some(line.place())).chain([None, Some(gone)]);
    for after in places {
        let nothing = RangeInclusive::new(FIRST_MS + 3, FIRST_MS + 2);
        for started_at_ms in [0..=u64::MAX, FIRST_MS + 2..=FIRST_MS + 6, nothing] {
            for (newest_first, limit) in [(true, 100), (false, 100), (true, 3), (false, 1)] {
                let after = after.clone();
                let range =
                    ListRange { started_at_ms: started_at_ms.clone(), newest_first, after, limit };
                let mut expected = all.clone();
                if newest_first {
                    expected.reverse();
                }
                expected.retain(|line| {
                    let is_left = range.after.as_ref().is_none_or(|after| {
                        if newest_first { line.place() < *after } else { line.place() > *after }
                    });
                    is_left && started_at_ms.contains(&line.started_at_ms)
                });
                expected.truncate(limit);
                let found = world.table.list_range(&name, &range).await.unwrap();
                assert_eq!(found, expected, "{range:?}");
                // The port's own way, for stores that sort nothing.
                let found = memory.list_range(&name, &range).await.unwrap();
                assert_eq!(found, expected, "{range:?} in memory");
            }
        }
    }
}

#[tokio::test]
async fn a_page_of_executions_costs_the_same_three_requests_however_many_there_are() {
    let world = World::new().await;
    world.started(45).await;
    let listed = |request: Value| {
        let world = &world;
        async move { world.pages(&request).await }
    };
    let (newest, requests) = listed(json!({ "PipelineName": PIPELINE, "MaxResults": 10 })).await;
    assert_eq!(newest.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 10, 10, 5]);
    // The pipeline, the lines, and what callers said about them.
    assert_eq!(requests, [3; 5]);
    let (whole, requests) = listed(json!({ "PipelineName": PIPELINE })).await;
    assert_eq!((whole[0].len(), requests), (45, vec![3]));
    assert_eq!(newest.concat(), whole.concat());

    let ascending = json!({ "PipelineName": PIPELINE, "MaxResults": 9, "SortOrder": "Ascending" });
    let (oldest, requests) = listed(ascending).await;
    let mut reversed = oldest.concat();
    reversed.reverse();
    assert_eq!((reversed, requests), (whole.concat(), vec![3; 5]));

    let by_arn =
        json!({ "PipelineName": PIPELINE, "MaxResults": 20, "SortBy": "PipelineExecutionArn" });
    let (by_arn, _) = listed(by_arn).await;
    let mut ids = whole.concat();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(by_arn.concat(), ids);

    let seconds = |ms: u64| json!(std::time::Duration::from_millis(ms).as_secs_f64());
    let between = json!({
        "PipelineName": PIPELINE,
        "CreatedAfter": seconds(FIRST_MS),
        "CreatedBefore": seconds(FIRST_MS + 4),
    });
    let (between, requests) = listed(between).await;
    assert_eq!((between, requests), (vec![whole[0][41..43].to_vec()], vec![3]));
}

#[tokio::test]
async fn executions_of_an_alias_are_found_however_far_they_are_apart() {
    let world = World::new().await;
    world.started(45).await;
    let (whole, _) = world.pages(&json!({ "PipelineName": PIPELINE })).await;
    assert!(world.table.put_pipeline(&record("live"), None).await.unwrap());
    let of_alias = [3, 4, 30, 44].map(|index| whole[0][index].clone());
    for (number, id) in whole[0].iter().enumerate() {
        let version_id =
            Some(if of_alias.contains(id) { 2 } else { 1 }).filter(|_| number % 7 != 6);
        let label = Label { version_id, ..Label::default() };
        world.table.put_label(&ExecutionId::parse(id).unwrap(), &label).await.unwrap();
    }
    let request = |alias: &str| json!({ "PipelineName": PIPELINE, "MaxResults": 3, "PipelineVersionAlias": alias });
    let (found, _) = world.pages(&request("live")).await;
    assert_eq!(found, [of_alias[..3].to_vec(), of_alias[3..].to_vec()]);
    let (none, requests) = world.pages(&request("other")).await;
    assert!(none.concat().is_empty(), "{none:?}");
    assert_eq!(requests, [1], "the pipeline says that there is no such alias");
}

#[tokio::test]
async fn the_api_remembers_a_token_for_eight_hours() {
    const HOUR_MS: u64 = 60 * 60 * 1000;
    let world = World::new().await;
    assert!(world.table.put_pipeline(&record("live"), None).await.unwrap());
    let token = "t".repeat(32);
    let body = json!({ "PipelineName": PIPELINE, "ClientRequestToken": token }).to_string();
    let answer = world.api.answer("DeletePipeline", body.as_bytes()).await.unwrap();
    let again = world.api.answer("DeletePipeline", body.as_bytes()).await.unwrap();
    assert_eq!(answer, again, "what is deleted is not there to be deleted again, but the token is");
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_ms = u64::try_from(since_epoch.as_millis()).unwrap();
    let key = format!("DeletePipeline#{token}");
    let later = async |hours: u64| world.table.answered(&key, now_ms + hours * HOUR_MS).await;
    assert!(later(7).await.unwrap().is_some());
    assert!(later(9).await.unwrap().is_none());
}
