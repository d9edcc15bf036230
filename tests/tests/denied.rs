//! A missing permission is no fact: a step leaves the decision to the planner, and the planner's
//! event fails and is delivered again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use sidestep_core::event::report_event;
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::execution::invocation::{Invocation, RESERVED_KEY};
use sidestep_core::execution::manifest::{Artifact, Manifest, Timing};
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::handoff::{Handoff, take_state};
use sidestep_core::uri::S3Uri;
use sidestep_engine::advance::handoff::HandoffOutcome;
use sidestep_engine::engine::Engine;
use sidestep_engine::error::EngineError;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::objects::memory::MemoryObjectStore;
use sidestep_engine::ports::objects::{Created, Download, ObjectFacts, ObjectStore, ObjectStream};
use sidestep_engine::ports::objects::{StoreError, StoreError::Denied};
use sidestep_engine::ports::{Deployment, Ports};
use sidestep_testkit::memory::{
    ManualClock, MemoryBatches, MemoryCache, MemoryFunctions, MemoryQueues, MemoryTable,
    MemoryTriggers,
};

use crate::setup;

/// Refuses to look at what is below these URIs, as S3 does without a permission.
#[derive(Debug, Default)]
struct Refusing {
    inner: MemoryObjectStore,
    denied: Mutex<BTreeSet<S3Uri>>,
}

impl Refusing {
    fn check(&self, operation: &'static str, uri: &S3Uri) -> Result<(), StoreError> {
        let is_below =
            |denied: &S3Uri| denied.bucket() == uri.bucket() && uri.key().starts_with(denied.key());
        if self.denied.lock().unwrap().iter().any(is_below) {
            return Err(Denied { operation, uri: uri.clone(), source: "AccessDenied".into() });
        }
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for Refusing {
    async fn head(&self, uri: &S3Uri) -> Result<Option<ObjectFacts>, StoreError> {
        self.check("look up", uri)?;
        self.inner.head(uri).await
    }

    async fn list(
        &self,
        prefix: &S3Uri,
        limit: usize,
    ) -> Result<Vec<(String, ObjectFacts)>, StoreError> {
        self.check("list", prefix)?;
        self.inner.list(prefix, limit).await
    }

    async fn get(&self, uri: &S3Uri, max_bytes: u64) -> Result<Option<Bytes>, StoreError> {
        self.check("read", uri)?;
        self.inner.get(uri, max_bytes).await
    }

    async fn download(&self, uri: &S3Uri) -> Result<Option<Download>, StoreError> {
        self.check("read", uri)?;
        self.inner.download(uri).await
    }

    async fn create(&self, uri: &S3Uri, bytes: Bytes, kind: &str) -> Result<Created, StoreError> {
        self.inner.create(uri, bytes, kind).await
    }

    async fn upload(&self, uri: &S3Uri, stream: ObjectStream) -> Result<Artifact, StoreError> {
        self.inner.upload(uri, stream).await
    }

    async fn delete(&self, uri: &S3Uri) -> Result<(), StoreError> {
        self.inner.delete(uri).await
    }
}

struct World {
    ports: Ports,
    objects: Arc<Refusing>,
    functions: Arc<MemoryFunctions>,
}

impl World {
    fn new() -> Self {
        let functions = Arc::new(MemoryFunctions::default());
        functions.deploy_with_sdk("step", "code", 60);
        let objects = Arc::new(Refusing::default());
        objects.inner.put(&uri("s3://inputs/table.csv"), "1,2");
        objects.inner.put(&uri("s3://inputs/metrics.json"), r#"{"rmse": 3}"#);
        let ports = Ports {
            executions: Arc::new(MemoryTable::default()),
            cache: Arc::new(MemoryCache::default()),
            objects: objects.clone(),
            functions: functions.clone(),
            queues: Arc::new(MemoryQueues::default()),
            triggers: Arc::new(MemoryTriggers::default()),
            batches: Arc::new(MemoryBatches::default()),
            clock: Arc::new(ManualClock::at(1_700_000_000_000)),
        };
        Self { ports, objects, functions }
    }

    /// Creates the engine of a new process.
    fn engine(&self) -> Engine {
        let deployment = Deployment {
            artifact_bucket: "artifacts".to_owned(),
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
        };
        let options = EngineOptions { handoff: Handoff::Direct, ..EngineOptions::default() };
        Engine::new(deployment, self.ports.clone(), options)
    }

    /// Refuses everything below `uri`, or nothing.
    fn refuse(&self, refused: Option<&str>) {
        *self.objects.denied.lock().unwrap() = refused.map(uri).into_iter().collect();
    }

    async fn start(&self, steps: &[Value]) -> ExecutionId {
        let engine = self.engine();
        let definition = json!({"Version": "2020-12-01", "Steps": steps});
        let prepared = engine.prepare(setup::request(&definition)).await.unwrap();
        engine.begin(prepared).await.unwrap()
    }

    /// Takes the one invocation that waits, as the step SDK reads it.
    fn invoked(&self) -> (Invocation, Value, Manifest) {
        let invoked = self.functions.take();
        assert_eq!(invoked.len(), 1, "{invoked:?}");
        let reserved = invoked[0].payload[RESERVED_KEY].clone();
        let invocation: Invocation = serde_json::from_value(reserved.clone()).unwrap();
        let outputs = serde_json::from_value(json!({"Value": 5})).unwrap();
        let timing = Timing { started_at_ms: 1_700_000_000_000, duration_ms: 1 };
        let manifest = Manifest::new(&invocation.token, outputs, Vec::new(), timing);
        (invocation, reserved, manifest)
    }

    /// Runs an execution to its end with every permission.
    async fn finish(&self, id: &ExecutionId) {
        for _ in 0..10 {
            if self.engine().load(id).await.unwrap().execution.status.is_over() {
                return;
            }
            let (invocation, _, manifest) = self.invoked();
            self.engine().handle(report_event(invocation.attempt(), manifest)).await.unwrap();
        }
        panic!("{:#?}", self.engine().describe(id).await);
    }

    async fn decisions(&self, id: &ExecutionId) -> Vec<(String, Option<&str>, Option<String>)> {
        let described = self.engine().describe(id).await.unwrap();
        let steps = described.steps.into_iter();
        let row = |step: sidestep_core::view::description::StepDescription| {
            (step.step_name, step.step_status, step.failure_reason)
        };
        steps.map(row).collect()
    }
}

fn uri(text: &str) -> S3Uri {
    S3Uri::parse(text).unwrap()
}

fn step(name: &str, after: &[&str], arguments: &Value) -> Value {
    json!({"Name": name, "Type": "Lambda", "FunctionArn": "step", "DependsOn": after,
        "CacheConfig": {"Enabled": true}, "Arguments": arguments,
        "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
}

/// Returns what follows the first step, with what it needs to look at.
fn followers() -> Vec<(&'static str, Vec<Value>, &'static str)> {
    let document = json!({"Std:JsonGet": {"S3Uri": "s3://inputs/metrics.json", "Path": "rmse"}});
    let gate = json!({"Name": "Gate", "Type": "Condition", "DependsOn": ["First"], "Arguments": {
        "Conditions": [{"Type": "LessThan", "LeftValue": document, "RightValue": 5}],
        "IfSteps": [step("Then", &[], &json!({"N": 2}))], "ElseSteps": []}});
    let reads = |input: &str| vec![step("Second", &["First"], &json!({"Input": input}))];
    vec![
        ("an object", reads("s3://inputs/table.csv"), "s3://inputs/table.csv"),
        ("a folder", reads("s3://inputs/"), "s3://inputs/"),
        ("a document of a condition", vec![gate], "s3://inputs/metrics.json"),
    ]
}

fn pipeline(round: u32, followers: &[Value]) -> Vec<Value> {
    let mut steps = vec![step("First", &[], &json!({"Round": round}))];
    steps.extend_from_slice(followers);
    steps
}

#[tokio::test]
async fn a_step_that_may_not_look_leaves_the_decision_to_the_planner() {
    for (what, followers, refused) in followers() {
        let world = World::new();
        let first = world.start(&pipeline(1, &followers)).await;
        world.finish(&first).await;
        let wanted = world.decisions(&first).await;

        let second = world.start(&pipeline(2, &followers)).await;
        let before = world.engine().load(&second).await.unwrap().execution;
        let (invocation, mut reserved, manifest) = world.invoked();
        world.refuse(Some(refused));
        let carried = take_state(&mut reserved);
        assert!(carried.is_some());
        let outcome = world.engine().hand_off(&invocation, carried, &manifest).await.unwrap();
        assert_eq!(outcome, HandoffOutcome::LeftToPlanner, "{what}");
        let after = world.engine().load(&second).await.unwrap().execution;
        assert_eq!(after, before, "{what}: nothing was decided");

        // The planner may look, and decides as if the step had not tried: what was cached is used.
        world.refuse(None);
        world.engine().handle(report_event(invocation.attempt(), manifest.clone())).await.unwrap();
        assert_eq!(world.functions.take(), [], "{what}: nothing runs again");
        let status = world.engine().load(&second).await.unwrap().execution.status;
        assert_eq!(status, ExecutionStatus::Succeeded, "{what}");
        assert_eq!(world.decisions(&second).await, wanted, "{what}");
    }
}

#[tokio::test]
async fn a_planner_that_may_not_look_fails_its_event_and_decides_nothing() {
    for (what, followers, refused) in followers() {
        let world = World::new();
        let first = world.start(&pipeline(1, &followers)).await;
        world.finish(&first).await;
        let second = world.start(&pipeline(2, &followers)).await;
        let before = world.engine().load(&second).await.unwrap().execution;
        let (invocation, _, manifest) = world.invoked();
        let event = report_event(invocation.attempt(), manifest.clone());

        world.refuse(Some(refused));
        for _ in 0..2 {
            let failed = world.engine().handle(event.clone()).await;
            assert!(matches!(failed, Err(EngineError::Store(Denied { .. }))), "{what}: {failed:?}");
        }
        assert_eq!(world.engine().load(&second).await.unwrap().execution, before, "{what}");
        assert_eq!(world.functions.take(), [], "{what}");

        world.refuse(None);
        world.engine().handle(event).await.unwrap();
        assert_eq!(world.functions.take(), [], "{what}: the earlier result counts");
        let status = world.engine().load(&second).await.unwrap().execution.status;
        assert_eq!(status, ExecutionStatus::Succeeded, "{what}");
    }
}
