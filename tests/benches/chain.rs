//! `cargo bench -p sidestep-tests`: a chain of 50 no-op steps by event, and its no-op repeat; the requests of a chain of 10.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a benchmark")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidestep_core::name::PipelineName;
use sidestep_core::reader::Format;
use sidestep_engine::definitions::Definition;
use sidestep_engine::engine::Engine;
use sidestep_engine::start::StartRequest;
use sidestep_local::cloud::{Cloud, Ports};
use sidestep_local::deployment::{Planner, deploy, local_engine, prepare, register_step};
use sidestep_local::lambda::{Code, Command, FunctionConfig, FunctionName};

fn request(steps: usize, round: usize) -> StartRequest {
    let step = |n: usize| {
        let value = match n {
            0 => json!(round),
            _ => json!({"Get": format!("Steps.S{}.OutputParameters['Value']", n - 1)}),
        };
        json!({"Name": format!("S{n}"), "Type": "Lambda", "FunctionArn": "noop",
            "Arguments": {"Value": value, "Step": n},
            "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
    };
    let list: Vec<Value> = (0..steps).map(step).collect();
    let text = json!({"Version": "2020-12-01", "CacheConfig": {"Enabled": true}, "Steps": list})
        .to_string();
    StartRequest {
        pipeline_name: PipelineName::parse("chain").unwrap(),
        definition: Definition { text, format: Format::Json },
        parameters: BTreeMap::new(),
        use_cache: true,
        left_out: BTreeMap::new(),
        trigger: "a benchmark".to_owned(),
        token: None,
    }
}

/// The time from the request to the end of the execution.
async fn run(engine: &Engine, request: StartRequest) -> Duration {
    let start = Instant::now();
    let mut changes = engine.changes();
    let prepared = engine.prepare(request).await.unwrap();
    let id = engine.begin(prepared).await.unwrap();
    while !engine.load(&id).await.unwrap().execution.status.is_over() {
        // HEAD follows the commit: look again a little later, too.
        let _ = tokio::time::timeout(Duration::from_millis(5), changes.changed()).await;
    }
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn print(name: &str, n: usize, metric: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "n": n, "metric": metric, "value": value, "unit": unit}));
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let mut cloud = Cloud::start(folder.path(), Ports::default()).await.unwrap();
    prepare(&cloud).await.unwrap();
    let engine = Arc::new(local_engine(cloud.endpoints()));
    let command =
        Command { program: PathBuf::from(env!("CARGO_BIN_EXE_noop-step")), ..Command::default() };
    let mut function =
        FunctionConfig::new(FunctionName::parse("noop").unwrap(), Code::Process(command));
    "noop".clone_into(&mut function.code_sha256);
    register_step(&cloud, function).unwrap();
    deploy(&mut cloud, &engine, &[], Planner::InProcess).await.unwrap();

    run(&engine, request(2, 0)).await;
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for round in 1..=5 {
        first.push(run(&engine, request(50, round)).await);
        again.push(run(&engine, request(50, round)).await);
    }
    print("chain", 50, "time per step by event, median of 5", median(first) / 50.0, "ms");
    print("chain repeat", 50, "whole no-op repeat, median of 5", median(again), "ms");

    let counted =
        |before: &BTreeMap<String, u64>, after: BTreeMap<String, u64>| -> BTreeMap<String, u64> {
            let less = |(name, count): (String, u64)| {
                let more = count - before.get(&name).copied().unwrap_or_default();
                (more > 0).then_some((name, more))
            };
            after.into_iter().filter_map(less).collect()
        };
    for name in ["a chain of 10", "its no-op repeat"] {
        let before = cloud.s3().counts();
        run(&engine, request(10, 99)).await;
        println!("S3 requests of {name}: {:?}", counted(&before, cloud.s3().counts()));
    }
    cloud.shutdown(Duration::ZERO).await;
}
