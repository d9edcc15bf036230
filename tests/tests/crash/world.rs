//! DynamoDB and S3 of the embedded cloud under the adapters, with functions and a clock in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::select_all;
use serde_json::{Value, json};
use sidestep_aws::local_config;
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::table::{DynamoTable, create_table};
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::name::ExecutionId;
use sidestep_core::uri::S3Uri;
use sidestep_core::view::description::ExecutionDescription;
use sidestep_engine::engine::Engine;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::executions::{ExecutionStore as _, Summary};
use sidestep_engine::ports::objects::ObjectStore as _;
use sidestep_engine::ports::{Deployment, Ports};
use sidestep_local::dynamodb::DynamoDbServer;
use sidestep_local::s3::S3Server;
use sidestep_testkit::memory::{ManualClock, MemoryFunctions, MemoryQueues};
use sidestep_testkit::proxy::{Proxy, RequestFault};
use tokio::net::TcpListener;

use crate::setup;

pub(crate) const BUCKET: &str = "artifacts";

/// DynamoDB and S3, each behind a proxy for the planner that is to die.
pub(crate) struct World {
    pub(crate) table: DynamoTable,
    services: [String; 2],
    proxies: [Proxy; 2],
    pub(crate) functions: Arc<MemoryFunctions>,
    pub(crate) clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = DynamoDbServer::open(Some(&folder.path().join("state.db"))).unwrap();
        let (listener, dynamodb) = listen().await;
        tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
        let server = S3Server::open(folder.path(), "us-east-1", "000000000000").unwrap();
        server.create_bucket(BUCKET).await.unwrap();
        let (listener, s3) = listen().await;
        tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
        let table = table(&dynamodb);
        create_table(&table).await.unwrap();
        let proxies = [Proxy::serve(&dynamodb).await.unwrap(), Proxy::serve(&s3).await.unwrap()];
        let functions = Arc::new(MemoryFunctions::default());
        functions.deploy("step", "code", 60);
        let clock = Arc::new(ManualClock::at(1_700_000_000_000));
        Self { table, services: [dynamodb, s3], proxies, functions, clock, _folder: folder }
    }

    /// Creates an engine as another process would have it.
    fn engine(&self, [dynamodb, s3]: [&str; 2]) -> Engine {
        let table = Arc::new(table(dynamodb));
        let config = local_config("us-east-1").into_builder().endpoint_url(s3).build();
        let deployment = Deployment {
            artifact_bucket: BUCKET.to_owned(),
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
        };
        Engine::new(
            deployment,
            Ports {
                executions: table.clone(),
                cache: table.clone(),
                triggers: table.clone(),
                batches: table,
                objects: Arc::new(S3ObjectStore::new(&config)),
                functions: self.functions.clone(),
                queues: Arc::new(MemoryQueues::default()),
                clock: self.clock.clone(),
            },
            EngineOptions::default(),
        )
    }

    /// Creates an engine whose requests all pass.
    pub(crate) fn sound(&self) -> Engine {
        self.engine([&self.services[0], &self.services[1]])
    }

    /// Lets a planner die at its request number `position`: just before it is sent, or when it is
    /// done and the answer is under way. `false`: it came to its end before.
    pub(crate) async fn dies(
        &self,
        position: u32,
        fault: RequestFault,
        what: impl AsyncFnOnce(Engine),
    ) -> bool {
        let count = Arc::new(AtomicU32::new(0));
        let mut hanging = Vec::new();
        for proxy in &self.proxies {
            let count = Arc::clone(&count);
            proxy.set(move |_| {
                let is_before = count.fetch_add(1, Ordering::SeqCst) < position;
                if is_before { RequestFault::Pass } else { fault }
            });
            hanging.push(proxy.hanging());
        }
        let engine = self.engine([self.proxies[0].endpoint(), self.proxies[1].endpoint()]);
        let reached = hanging.iter_mut().map(|hanging| Box::pin(hanging.changed()));
        tokio::select! {
            () = what(engine) => false,
            _ = select_all(reached) => true,
        }
    }

    /// Starts a pipeline of one step, which is invoked, and returns the payload.
    pub(crate) async fn begin(&self, round: u32) -> (ExecutionId, Value) {
        let engine = self.sound();
        let step = json!({"Name": "A", "Type": "Lambda", "FunctionArn": "step",
            "Arguments": {"Round": round}});
        let request = setup::request(&json!({"Version": "2020-12-01", "Steps": [step]}));
        let prepared = engine.prepare(request).await.unwrap();
        let id = engine.begin(prepared).await.unwrap();
        (id, self.invoked().expect("it has nothing to wait for"))
    }

    /// Takes the payload of the last invocation since the last call, with its request id added.
    pub(crate) fn invoked(&self) -> Option<Value> {
        let invoked = self.functions.take().pop()?;
        let mut payload = invoked.payload;
        payload["RequestId"] = invoked.request_id.into();
        Some(payload)
    }

    /// Reads a JSON object of the bucket.
    pub(crate) async fn document(&self, uri: &S3Uri) -> Value {
        let config = local_config("us-east-1").into_builder().endpoint_url(&self.services[1]);
        let store = S3ObjectStore::new(&config.build());
        let bytes = store.get(uri, 1 << 20).await.unwrap().expect("it was written");
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Writes an object, as a handler does.
    pub(crate) async fn put(&self, uri: &S3Uri) {
        let config = local_config("us-east-1").into_builder().endpoint_url(&self.services[1]);
        let store = S3ObjectStore::new(&config.build());
        store.create(uri, "{}".into(), "application/json").await.unwrap();
    }

    /// Describes the one execution that there is.
    pub(crate) async fn only(&self) -> ExecutionDescription {
        let lines = self.table.list(None, 2).await.unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        self.sound().describe(&lines[0].execution_id).await.unwrap()
    }

    pub(crate) async fn status(&self, id: &ExecutionId) -> ExecutionStatus {
        self.table.head(id).await.unwrap().unwrap().status
    }

    pub(crate) async fn line(&self, id: &ExecutionId) -> Summary {
        let lines = self.table.list(None, 1_000).await.unwrap();
        lines.into_iter().find(|line| line.execution_id == *id).unwrap()
    }

    /// Asserts that the list says what `HEAD` says: the sweep passes over an ended execution.
    pub(crate) async fn assert_listed(&self, id: &ExecutionId, place: &str) {
        let (status, line) = (self.status(id).await, self.line(id).await);
        if status.is_over() && !self.table.live().await.unwrap().contains(id) {
            assert_eq!(line.status, status, "{place}: no sweep will correct the list");
        }
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

fn table(endpoint: &str) -> DynamoTable {
    let config = local_config("us-east-1").into_builder().endpoint_url(endpoint).build();
    DynamoTable::new(&config, "state")
}

/// Returns the record that Lambda's destination sends for an invocation.
pub(crate) fn ended(payload: &Value, condition: &str) -> Value {
    let response = match condition {
        "Success" => json!({}),
        _ => json!({"errorType": "Flaky", "errorMessage": "not now"}),
    };
    let context = match condition {
        "Success" => json!({"statusCode": 200}),
        _ => json!({"statusCode": 200, "functionError": "Unhandled"}),
    };
    let request = json!({"condition": condition, "requestId": payload["RequestId"],
        "functionArn": "step"});
    json!({"requestContext": request, "requestPayload": payload,
        "responseContext": context, "responsePayload": response})
}
