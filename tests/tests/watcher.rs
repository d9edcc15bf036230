//! A watcher of executions is told of every change, and delays nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::json;
use sidestep_core::name::PipelineName;
use sidestep_core::parse::Format;
use sidestep_core::view::status_change::StatusChange;
use sidestep_engine::engine::Engine;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::objects::memory::MemoryObjectStore;
use sidestep_engine::ports::watcher::Watcher;
use sidestep_engine::ports::{BoxError, Deployment, Ports};
use sidestep_engine::start::StartRequest;
use sidestep_engine::start::selection::SelectionRequest;
use sidestep_testkit::memory::{
    ManualClock, MemoryBatches, MemoryCache, MemoryFunctions, MemoryQueues, MemoryTable,
    MemoryTriggers,
};

/// Is not done before the step was invoked, and then fails.
#[derive(Debug)]
struct Slow {
    functions: Arc<MemoryFunctions>,
    told: Mutex<Vec<StatusChange>>,
}

#[async_trait]
impl Watcher for Slow {
    async fn changed(&self, changes: &[StatusChange]) -> Result<(), BoxError> {
        self.told.lock().unwrap().extend_from_slice(changes);
        for _ in 0..10_000 {
            if !self.functions.take().is_empty() {
                return Err("the watcher has fallen asleep".into());
            }
            tokio::task::yield_now().await;
        }
        panic!("the step waits for its watcher");
    }
}

#[tokio::test]
async fn a_watcher_that_is_slow_and_fails_holds_no_step_up() {
    let functions = Arc::new(MemoryFunctions::default());
    functions.deploy("work", "sha256:code", 60);
    let slow = Arc::new(Slow { functions: Arc::clone(&functions), told: Mutex::default() });
    let table = Arc::new(MemoryTable::default());
    let ports = Ports {
        executions: table,
        cache: Arc::new(MemoryCache::default()),
        objects: Arc::new(MemoryObjectStore::default()),
        functions: functions.clone(),
        queues: Arc::new(MemoryQueues::default()),
        triggers: Arc::new(MemoryTriggers::default()),
        batches: Arc::new(MemoryBatches::default()),
        clock: Arc::new(ManualClock::at(1_000)),
    };
    let deployment = Deployment {
        artifact_bucket: "artifacts".to_owned(),
        region: "us-east-1".to_owned(),
        account_id: "000000000000".to_owned(),
    };
    let options = EngineOptions { watcher: Some(slow.clone()), ..EngineOptions::default() };
    let engine = Engine::new(deployment, ports, options);
    let definition = json!({
        "Version": "2020-12-01",
        "Steps": [{"Name": "Work", "Type": "Lambda", "FunctionArn": "work", "Arguments": {}}],
    });
    let request = StartRequest {
        pipeline_name: PipelineName::parse("watched").unwrap(),
        definition: Definition { text: definition.to_string(), format: Format::Json },
        parameters: BTreeMap::new(),
        use_cache: true,
        left_out: BTreeMap::new(),
        trigger: "a test".to_owned(),
        token: None,
        selection: SelectionRequest::default(),
        max_parallel_execution_steps: None,
    };
    engine.begin(engine.prepare(request).await.unwrap()).await.unwrap();
    let told = slow.told.lock().unwrap();
    let statuses: Vec<_> = told
        .iter()
        .map(|change| {
            let step = &change.detail["currentStepStatus"];
            if step.is_null() { &change.detail["currentPipelineExecutionStatus"] } else { step }
        })
        .collect();
    assert_eq!(statuses, ["Executing", "Executing"], "the execution and its step");
}
