//! An embedded cloud with functions, for a test: what runs on it, and how it ended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sidestep_core::name::{ExecutionId, FunctionName, PipelineName};
use sidestep_core::parse::Format;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::plan::lease::{EVENT_VARIABLE, EVENT_WITH_KEY, SDK_VARIABLE};
use sidestep_core::view::description::ExecutionDescription;
use sidestep_engine::engine::Engine;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::start::StartRequest;
use sidestep_engine::start::selection::SelectionRequest;
use sidestep_local::cloud::{Cloud, Ports};
use sidestep_local::deployment::{
    Planner, cloud_engine, counted_cloud_engine, create_resources, deploy, register_step,
    with_handoff,
};
use sidestep_local::lambda::{Code, Command, FunctionConfig};

/// Long enough for a busy machine; nothing is asserted on the time itself.
const DEADLINE: Duration = Duration::from_mins(2);

pub(crate) struct Setup {
    pub(crate) cloud: Cloud,
    pub(crate) engine: Arc<Engine>,
    functions: Vec<FunctionName>,
    /// Removed with the test.
    _folder: tempfile::TempDir,
}

impl Setup {
    /// Starts a cloud in a folder of its own.
    pub(crate) async fn new(
        planner: Planner,
        handoff: Handoff,
        functions: Vec<FunctionConfig>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = functions.iter().map(|function| function.name.clone()).collect();
        let (cloud, engine) = start(folder.path(), planner, handoff, functions).await;
        Self { cloud, engine, functions: names, _folder: folder }
    }

    pub(crate) async fn run(&self, request: StartRequest) -> ExecutionDescription {
        let prepared = self.engine.prepare(request).await.unwrap();
        let id = self.engine.begin(prepared).await.unwrap();
        end(&self.engine, &id).await
    }

    /// Returns how often functions were invoked; the planner does not count.
    pub(crate) fn invocations(&self) -> u64 {
        let counts = self.cloud.lambda().counts().invocations;
        self.functions.iter().filter_map(|name| counts.get(name)).sum()
    }
}

/// Starts a cloud in `folder`, with these functions.
pub(crate) async fn start(
    folder: &Path,
    planner: Planner,
    handoff: Handoff,
    functions: Vec<FunctionConfig>,
) -> (Cloud, Arc<Engine>) {
    let until = Instant::now() + DEADLINE;
    // A child that is just being forked elsewhere in this process holds a dropped lock for a
    // moment.
    let mut cloud = loop {
        match Cloud::start(folder, Ports::default()).await {
            Ok(cloud) => break cloud,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    create_resources(&cloud).await.unwrap();
    let options = EngineOptions { handoff, is_sole_planner: true, ..EngineOptions::default() };
    let engine = Arc::new(match &planner {
        Planner::Counted(counter) => counted_cloud_engine(&cloud, counter, options),
        _ => cloud_engine(&cloud, options),
    });
    for function in functions {
        register_step(&cloud, with_handoff(function, handoff)).unwrap();
    }
    deploy(&mut cloud, &engine, &[], planner).await.unwrap();
    (cloud, engine)
}

/// Waits for the end of an execution, and describes it.
pub(crate) async fn end(engine: &Engine, id: &ExecutionId) -> ExecutionDescription {
    let until = Instant::now() + DEADLINE;
    loop {
        // The last commit comes first, then the list of executions, then HEAD.
        if engine.load(id).await.unwrap().execution.status.is_over() {
            return engine.describe(id).await.unwrap();
        }
        assert!(Instant::now() < until, "still executing: {:#?}", engine.describe(id).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns a function whose code is `program`, and whose event has the key `Sidestep`.
pub(crate) fn function(name: &str, program: &str) -> FunctionConfig {
    let environment = [(EVENT_VARIABLE.to_owned(), EVENT_WITH_KEY.to_owned())].into();
    let program = PathBuf::from(program);
    let command = Command { program, environment, ..Command::default() };
    let mut function =
        FunctionConfig::new(FunctionName::parse(name).unwrap(), Code::Process(command));
    name.clone_into(&mut function.code_sha256);
    function
}

/// Returns a function whose code is `program`, which has the step SDK.
pub(crate) fn sdk_function(name: &str, program: &str) -> FunctionConfig {
    let mut function = function(name, program);
    if let Code::Process(command) = &mut function.code {
        command.environment.insert(SDK_VARIABLE.to_owned(), "1".to_owned());
    }
    function
}

/// Returns the function `step` with a time-out of two seconds.
pub(crate) fn hasty_function(program: &str) -> FunctionConfig {
    let mut hasty = function("step", program);
    hasty.timeout = Duration::from_secs(2);
    hasty
}

/// Asks for all of a definition, with its defaults.
pub(crate) fn request(definition: &Value) -> StartRequest {
    StartRequest {
        pipeline_name: PipelineName::parse("test").unwrap(),
        definition: Definition { text: definition.to_string(), format: Format::Json },
        parameters: BTreeMap::new(),
        use_cache: true,
        left_out: BTreeMap::new(),
        trigger: "a test".to_owned(),
        token: None,
        selection: SelectionRequest::default(),
        max_parallel_execution_steps: None,
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < until, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
