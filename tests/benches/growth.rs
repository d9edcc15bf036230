//! Measures growth: `cargo bench -p sidestep-tests --bench growth`.
//!
//! 200 steps, 20 deep and 10 wide: a first run, a repeat, a change in the middle, with what they
//! ask of the services; a plan of 1,000 steps, with nothing cached and with everything; chains of
//! up to 1,000 steps, a fan of 1,000, 200 executions at once.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a benchmark")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod bench;

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use sidestep_aws::counter::Counter;
use sidestep_core::plan::handoff::Handoff;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::start::StartRequest;
use sidestep_local::deployment::local_engine;

use bench::shape::{chain, fan};
use bench::{Bench, is_asked, median, print, table, usage, whole};

/// What differs at the step in the middle.
#[derive(Debug, Clone, Copy)]
enum Middle {
    AsBefore,
    /// An argument that its result does not depend on: the wave stops there.
    Levelled(u32),
    /// Its result: everything that reads it runs again.
    Changed(u32),
}

/// Returns steps of which each reads the step before it and that one's neighbour.
fn grid(depth: usize, width: usize, middle: Middle) -> StartRequest {
    let name = |layer: usize, column: usize| format!("S{layer}-{}", column % width);
    let of = |name: String| json!({"Get": format!("Steps.{name}.OutputParameters['Value']")});
    let step = |n: usize| {
        let (layer, column) = (n / width, n % width);
        let mut arguments = match layer {
            0 => json!({"Value": column}),
            _ => {
                json!({"Value": of(name(layer - 1, column)), "Beside": of(name(layer - 1, column + 1))})
            }
        };
        // Equal steps share a result, so each says which it is.
        arguments["Step"] = json!(n);
        if (layer, column) == (depth / 2, width / 2) {
            match middle {
                Middle::AsBefore => {}
                Middle::Levelled(to) => arguments["Note"] = json!(to),
                Middle::Changed(to) => arguments["Value"] = json!(to),
            }
        }
        json!({"Name": name(layer, column), "Type": "Lambda", "FunctionArn": "noop",
            "Arguments": arguments,
            "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
    };
    let steps: Vec<Value> = (0..depth * width).map(step).collect();
    bench::request(&steps, true)
}

async fn runs() {
    let cases = [
        ("first run", Middle::AsBefore),
        ("repeat", Middle::AsBefore),
        ("change in the middle, levelled out", Middle::Levelled(1)),
        ("change in the middle, passed on", Middle::Changed(1_000)),
    ];
    let folder = tempfile::tempdir().unwrap();
    let counter = Counter::new("engine");
    let bench = Bench::start(folder.path(), Handoff::Event, Some(&counter), false).await;
    bench.run(grid(2, 1, Middle::AsBefore)).await;
    for (name, middle) in cases {
        let start = Instant::now();
        let usage = usage(&bench, &counter, grid(20, 10, middle)).await;
        print(name, 200, "whole execution", start.elapsed().as_secs_f64() * 1e3, "ms");
        let requests: u64 = usage.requests.values().flat_map(|service| service.values()).sum();
        print(name, 200, "requests", f64::from(u32::try_from(requests).unwrap()), "");
        println!("{}", json!({"name": name, "n": 200, "metric": "usage", "value": usage}));
    }
    bench.cloud.shutdown(Duration::ZERO).await;
}

/// Measures the median of five plans, each by an engine that has nothing in memory.
async fn plan(bench: &Bench, name: &str, request: StartRequest) {
    let mut times = Vec::new();
    for _ in 0..5 {
        let engine = local_engine(bench.cloud.endpoints(), EngineOptions::default());
        let start = Instant::now();
        let prepared = engine.prepare(request.clone()).await.unwrap();
        let (forecast, _) = engine.preview(&prepared).await.unwrap();
        times.push(start.elapsed());
        assert_eq!(forecast.steps.len(), 1_000);
    }
    print(name, 1_000, "plan, median of 5", median(times), "ms");
}

async fn plans() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), Handoff::Event, None, false).await;
    plan(&bench, "nothing cached", grid(50, 20, Middle::AsBefore)).await;
    let took = bench.run(grid(50, 20, Middle::AsBefore)).await;
    print("first run", 1_000, "whole execution", took.as_secs_f64() * 1e3, "ms");
    plan(&bench, "all cached", grid(50, 20, Middle::AsBefore)).await;
    plan(&bench, "all cached but one", grid(50, 20, Middle::Changed(1_000))).await;
    bench.cloud.shutdown(Duration::ZERO).await;
}

/// Measures what a step takes and asks for, the longer the execution is.
async fn sizes(handoff: Handoff) {
    let chains = [10, 100, 400, 1_000].map(|steps| ("chain", steps, steps, chain(1, steps)));
    let fans = [10, 200, 1_000].map(|width| ("1 to n to 1", width, width + 2, fan(width, 1)));
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), handoff, None, false).await;
    bench.run(chain(0, 2)).await;
    for (name, n, steps, request) in chains.iter().chain(&fans).cloned() {
        let took = bench.run(request).await;
        let metric = format!("time per step, {handoff}");
        print(name, n, &metric, took.as_secs_f64() * 1e3 / whole(steps), "ms");
    }
    let began = Instant::now();
    let request = |n: usize| chain(1_000 + n, 10);
    join_all((0..200).map(|n| bench.run_among(200, request(n)))).await;
    let metric = format!("200 executions of 10 steps at once, {handoff}, time per step");
    print("executions", 200, &metric, began.elapsed().as_secs_f64() / 2.0, "ms");
    bench.cloud.shutdown(Duration::ZERO).await;

    let folder = tempfile::tempdir().unwrap();
    let counter = Counter::new("engine");
    let bench = Bench::start(folder.path(), handoff, Some(&counter), false).await;
    bench.run(chain(0, 2)).await;
    for (name, n, steps, request) in chains.into_iter().chain(fans) {
        let usage = usage(&bench, &counter, request).await;
        let metric = format!("write units, {handoff}, per step");
        print(name, n, &metric, usage.write_units / whole(steps), "");
        let metric = format!("read units, {handoff}, per step");
        print(name, n, &metric, usage.read_units / whole(steps), "");
    }
    bench.cloud.shutdown(Duration::ZERO).await;
}

#[tokio::main]
async fn main() {
    if is_asked("runs") {
        runs().await;
    }
    if is_asked("plans") {
        plans().await;
    }
    if is_asked("sizes") {
        for handoff in [Handoff::Event, Handoff::Direct] {
            Box::pin(sizes(handoff)).await;
        }
    }
    table();
}
