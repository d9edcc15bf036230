//! What benchmarks share: a cloud with the no-op step, requests, and figures as lines of JSON.

pub(crate) mod floor;
pub(crate) mod shape;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidestep_aws::counter::Counter;
use sidestep_core::name::{FunctionName, PipelineName};
use sidestep_core::parse::Format;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::view::price::{Usage, service};
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

/// Asks for all of these steps.
pub(crate) fn request(steps: &[Value], is_cached: bool) -> StartRequest {
    let text =
        json!({"Version": "2020-12-01", "CacheConfig": {"Enabled": is_cached}, "Steps": steps})
            .to_string();
    StartRequest {
        pipeline_name: PipelineName::parse("chain").unwrap(),
        definition: Definition { text, format: Format::Json },
        parameters: BTreeMap::new(),
        use_cache: true,
        left_out: BTreeMap::new(),
        trigger: "a benchmark".to_owned(),
        token: None,
        selection: SelectionRequest::default(),
        max_parallel_execution_steps: None,
    }
}

/// An embedded cloud with the no-op function, and two engines: one that works, one that looks on.
pub(crate) struct Bench {
    pub(crate) cloud: Cloud,
    pub(crate) engine: Arc<Engine>,
    pub(crate) watcher: Engine,
}

impl Bench {
    pub(crate) async fn start(
        folder: &Path,
        handoff: Handoff,
        counter: Option<&Counter>,
        times: bool,
    ) -> Self {
        let mut cloud = Cloud::start(folder, Ports::default()).await.unwrap();
        create_resources(&cloud).await.unwrap();
        let options = EngineOptions { handoff, is_sole_planner: true, ..EngineOptions::default() };
        let engine = Arc::new(match counter {
            Some(counter) => counted_cloud_engine(&cloud, counter, options),
            None => cloud_engine(&cloud, options),
        });
        let program = PathBuf::from(env!("CARGO_BIN_EXE_noop-step"));
        let variables =
            [("NOOP_TIMES", times), ("SIDESTEP_COUNT", counter.is_some()), ("SIDESTEP_SDK", true)];
        let asked = variables.into_iter().filter(|(_, is_asked)| *is_asked);
        let environment = asked.map(|(name, _)| (name.to_owned(), "1".to_owned())).collect();
        let command = Command { program, environment, ..Command::default() };
        let mut function =
            FunctionConfig::new(FunctionName::parse("noop").unwrap(), Code::Process(command));
        "noop".clone_into(&mut function.code_sha256);
        register_step(&cloud, with_handoff(function, handoff)).unwrap();
        let planner =
            counter.map_or(Planner::InProcess, |counter| Planner::Counted(counter.clone()));
        deploy(&mut cloud, &engine, &[], planner).await.unwrap();
        let watcher = cloud_engine(&cloud, EngineOptions::default());
        Self { cloud, engine, watcher }
    }

    /// Returns the time from the request to the end of the execution.
    pub(crate) async fn run(&self, request: StartRequest) -> Duration {
        self.run_among(1, request).await
    }

    /// Measures as [`Bench::run`] while so many run at once. The more there are, the less often
    /// each is polled, because polling takes the same two cores.
    pub(crate) async fn run_among(&self, count: u32, request: StartRequest) -> Duration {
        let start = Instant::now();
        let prepared = self.engine.prepare(request).await.unwrap();
        let id = self.engine.begin(prepared).await.unwrap();
        while !self.watcher.load(&id).await.unwrap().execution.status.is_over() {
            tokio::time::sleep(Duration::from_millis(5) * count).await;
        }
        start.elapsed()
    }
}

pub(crate) fn whole(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap())
}

/// Returns true if the command line names this part of a benchmark, or none.
pub(crate) fn is_asked(part: &str) -> bool {
    let arguments = std::env::args().skip(1);
    let mut named = arguments.filter(|argument| !argument.starts_with('-')).peekable();
    named.peek().is_none() || named.any(|name| name == part)
}

pub(crate) fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

/// The figures so far, as rows.
static ROWS: Mutex<Vec<[String; 5]>> = Mutex::new(Vec::new());

/// Prints a figure as a line of JSON, and keeps it for the [`table`].
pub(crate) fn print(name: &str, n: usize, metric: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "n": n, "metric": metric, "value": value, "unit": unit}));
    let row =
        [name.to_owned(), n.to_string(), metric.to_owned(), format!("{value:.3}"), unit.to_owned()];
    ROWS.lock().unwrap().push(row);
}

/// Prints all figures once more, for people.
pub(crate) fn table() {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["name", "n", "metric", "value", "unit"]);
    table.add_rows(ROWS.lock().unwrap().drain(..));
    println!("{table}");
}

/// Counts what an execution asks of the services: the engine's requests by its adapters, S3's by
/// S3, so those of the functions too.
pub(crate) async fn usage(bench: &Bench, counter: &Counter, request: StartRequest) -> Usage {
    counter.take();
    let before = bench.cloud.s3().counts();
    bench.run(request).await;
    // Steps say what they asked for after the execution has ended.
    let is_busy = || bench.cloud.lambda().load().running + bench.cloud.lambda().load().queued > 0;
    while is_busy() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut usage = Usage::default();
    for of_caller in counter.take().values() {
        usage.add(of_caller);
    }
    usage.requests.remove(service::S3);
    for (operation, count) in bench.cloud.s3().counts() {
        let more = count - before.get(&operation).copied().unwrap_or_default();
        usage.add_requests(service::S3, &operation, more);
    }
    usage
}
