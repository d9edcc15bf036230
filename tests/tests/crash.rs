//! A planner dies at every request that it sends, over the real adapters: the sweep finds what it left.
//!
//! The simulator does this in memory, where an adapter's call is one step. Here a call is as many requests as it takes, in their order.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::select_all;
use serde_json::{Value, json};
use sidestep_aws::local_config;
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::table::{DynamoTable, create_table};
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::name::ExecutionId;
use sidestep_engine::engine::{Deployment, Engine, Ports};
use sidestep_engine::store::{ExecutionStore as _, Summary};
use sidestep_engine::sweep::Leases;
use sidestep_local::dynamodb::DynamoDbServer;
use sidestep_local::s3::S3Server;
use sidestep_testkit::memory::{ManualClock, MemoryFunctions, MemoryQueues, MemoryTriggers};
use sidestep_testkit::proxy::{Fate, Proxy};
use tokio::net::TcpListener;

#[path = "setup/mod.rs"]
#[allow(dead_code, reason = "of the set-up only the request is of use here")]
mod setup;

const BUCKET: &str = "artifacts";

/// DynamoDB and S3, each behind a proxy for whoever is to die.
struct World {
    table: DynamoTable,
    services: [String; 2],
    proxies: [Proxy; 2],
    functions: Arc<MemoryFunctions>,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
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

    /// A planner of its own process.
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
                cache: table,
                objects: Arc::new(S3ObjectStore::new(&config)),
                functions: self.functions.clone(),
                queues: Arc::new(MemoryQueues::default()),
                triggers: Arc::new(MemoryTriggers::default()),
                clock: self.clock.clone(),
            },
        )
    }

    /// One that lives.
    fn sound(&self) -> Engine {
        self.engine([&self.services[0], &self.services[1]])
    }

    /// Lets a planner die at its request number `position`: just before it is sent, or when it is done and the answer is under way.
    /// `false`: it came to its end before.
    async fn dies(&self, position: u32, fate: Fate, what: impl AsyncFnOnce(Engine)) -> bool {
        let count = Arc::new(AtomicU32::new(0));
        let mut hanging = Vec::new();
        for proxy in &self.proxies {
            let count = Arc::clone(&count);
            proxy.set(move |_| match count.fetch_add(1, Ordering::SeqCst) < position {
                true => Fate::Pass,
                false => fate,
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
    async fn begin(&self, round: u32) -> (ExecutionId, Value) {
        let engine = self.sound();
        let step = json!({"Name": "A", "Type": "Lambda", "FunctionArn": "step",
            "Arguments": {"Round": round}});
        let request = setup::request(&json!({"Version": "2020-12-01", "Steps": [step]}));
        let prepared = engine.prepare(request).await.unwrap();
        let id = engine.begin(prepared).await.unwrap();
        (id, self.invoked().expect("it has nothing to wait for"))
    }

    /// The payload of the last invocation since the last look.
    fn invoked(&self) -> Option<Value> {
        self.functions.take().pop().map(|invoked| invoked.payload)
    }

    async fn status(&self, id: &ExecutionId) -> ExecutionStatus {
        self.table.head(id).await.unwrap().unwrap().status
    }

    async fn line(&self, id: &ExecutionId) -> Summary {
        let lines = self.table.list(None, 1_000).await.unwrap();
        lines.into_iter().find(|line| line.execution_id == *id).unwrap()
    }

    /// What is over is not swept any more, so the list has to say so before.
    async fn assert_listed(&self, id: &ExecutionId, place: &str) {
        let (status, line) = (self.status(id).await, self.line(id).await);
        if status.is_over() && !self.table.live().await.unwrap().contains(id) {
            assert_eq!(line.status, status, "{place}: nobody will ever correct the list");
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

/// What Lambda's destination says of an invocation.
fn ended(payload: &Value, condition: &str) -> Value {
    let response = match condition {
        "Success" => json!({}),
        _ => json!({"errorType": "Flaky", "errorMessage": "not now"}),
    };
    let context = match condition {
        "Success" => json!({"statusCode": 200}),
        _ => json!({"statusCode": 200, "functionError": "Unhandled"}),
    };
    json!({"requestContext": {"condition": condition}, "requestPayload": payload,
        "responseContext": context, "responsePayload": response})
}

/// More requests than one turn of a planner may send.
const MOST: u32 = 100;

#[tokio::test]
async fn a_planner_that_dies_at_any_request_of_the_last_turn_leaves_a_list_that_comes_right() {
    let world = World::new().await;
    let mut deaths = 0;
    for fate in [Fate::HangBefore, Fate::HangAfter] {
        for position in 0..MOST {
            let (id, payload) = world.begin(position).await;
            let event = ended(&payload, "Success");
            let last = async |engine: Engine| drop(engine.handle(event.clone()).await.unwrap());
            let died = world.dies(position, fate, last).await;
            let place = format!("{fate:?} {position}");
            world.assert_listed(&id, &place).await;
            // The event comes again, as after any failure of the planner, or the sweep finds the commit.
            world.sound().sweep(Leases::ByTime).await.unwrap();
            world.sound().handle(event.clone()).await.unwrap();
            let (status, line) = (world.status(&id).await, world.line(&id).await);
            assert_eq!(status, ExecutionStatus::Succeeded, "{place}");
            assert_eq!((line.status, line.ended_at_ms.is_some()), (status, true), "{place}");
            assert!(!world.table.live().await.unwrap().contains(&id), "{place}");
            if !died {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths >= 8, "a turn loads, commits, lists and moves HEAD: {deaths}");
}

#[tokio::test]
async fn a_retry_whose_planner_dies_is_carried_out_once_it_is_noted() {
    let world = World::new().await;
    let (mut deaths, mut unnoted) = (0, 0);
    for fate in [Fate::HangBefore, Fate::HangAfter] {
        for position in 0..MOST {
            let (id, payload) = world.begin(position).await;
            world.sound().handle(ended(&payload, "RetriesExhausted")).await.unwrap();
            assert_eq!(world.status(&id).await, ExecutionStatus::Failed);
            let retry = async |engine: Engine| assert!(!engine.retry(&id).await.unwrap().is_over());
            let died = world.dies(position, fate, retry).await;
            let place = format!("{fate:?} {position}");
            let is_noted = world.table.live().await.unwrap().contains(&id);
            world.sound().sweep(Leases::ByTime).await.unwrap();
            let line = world.line(&id).await.status;
            if is_noted {
                assert_eq!(world.status(&id).await, ExecutionStatus::Executing, "{place}");
                assert_eq!(line, ExecutionStatus::Executing, "{place}");
                // Its attempt may have been claimed by the planner that died before it invoked: then the lease lapses.
                let begun = world.invoked();
                let begun = if let Some(begun) = begun {
                    begun
                } else {
                    world.clock.advance(3_600_000);
                    world.sound().sweep(Leases::ByTime).await.unwrap();
                    world.invoked().unwrap_or_else(|| panic!("{place}: nothing was invoked"))
                };
                world.sound().handle(ended(&begun, "Success")).await.unwrap();
                assert_eq!(world.status(&id).await, ExecutionStatus::Succeeded, "{place}");
                assert_eq!(world.line(&id).await.status, ExecutionStatus::Succeeded, "{place}");
            } else {
                unnoted += 1;
                assert!(died, "{place}: it was not noted");
                assert_eq!(
                    (world.status(&id).await, line),
                    (ExecutionStatus::Failed, ExecutionStatus::Failed)
                );
                assert_eq!(world.invoked(), None, "{place}");
            }
            if !died {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > unnoted && unnoted > 0, "{deaths} deaths, {unnoted} before the note");
}
