//! Measures a chain: `cargo bench -p sidestep-tests`.
//!
//! A chain of 50 no-op steps by event, and its no-op repeat; what both ask of the services; where
//! the time of a step goes.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a benchmark")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
#[path = "../bench/mod.rs"]
mod bench;
mod timeline;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidestep_aws::counter::Counter;
use sidestep_aws::object::S3ObjectStore;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::ObjectStore as _;
use sidestep_engine::start::StartRequest;
use sidestep_local::deployment::ARTIFACT_BUCKET;

use bench::floor::floor;
use bench::{Bench, median, print, table, usage};
use timeline::Timeline;

fn request(steps: usize, round: usize, is_cached: bool) -> StartRequest {
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
    bench::request(&list, is_cached)
}

async fn speed(handoff: Handoff, floor: f64) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), handoff, None, false).await;
    bench.run(request(2, 0, true)).await;
    let (mut plain, mut first, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=5 {
        plain.push(bench.run(request(50, round, false)).await);
        first.push(bench.run(request(50, round, true)).await);
        again.push(bench.run(request(50, round, true)).await);
    }
    let metric = format!("time per step, {handoff}, median of 5");
    let over = format!("times the floor, {handoff}");
    for (name, times) in [("chain, not cached", plain), ("chain", first)] {
        let ms = median(times) / 50.0;
        print(name, 50, &metric, ms, "ms");
        print(name, 50, &over, ms / floor, "");
    }
    print(
        "chain repeat",
        50,
        &format!("whole no-op repeat, {handoff}, median of 5"),
        median(again),
        "ms",
    );
    bench.cloud.shutdown(Duration::ZERO).await;
}

async fn counts(handoff: Handoff) {
    let folder = tempfile::tempdir().unwrap();
    let counter = Counter::new("engine");
    let bench = Bench::start(folder.path(), handoff, Some(&counter), false).await;
    for steps in [10, 20] {
        for name in ["chain", "chain repeat"] {
            let usage = usage(&bench, &counter, request(steps, 100 + steps, true)).await;
            println!(
                "{}",
                json!({"name": name, "n": steps, "metric": format!("usage, {handoff}"), "value": usage})
            );
            let steps_paid = u64::try_from(steps).unwrap();
            let usd = usage.usd_per_million(steps_paid);
            let metric = format!("requests and units, {handoff}, per million steps");
            print(name, steps, &metric, usd, "USD");
        }
    }
    bench.cloud.shutdown(Duration::ZERO).await;
}

async fn parts() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), Handoff::Event, None, true).await;
    let timeline = Timeline::install();
    bench.run(request(2, 0, true)).await;
    timeline.clear();
    let mut lines = bench.cloud.lambda().follow_logs();
    bench.run(request(50, 1, true)).await;
    let mut entered = Vec::new();
    while let Ok(line) = lines.try_recv() {
        let moment = line.message.trim().strip_prefix("entered ");
        entered.extend(moment.and_then(|moment| moment.parse::<f64>().ok()));
    }
    for (part, ms) in timeline.parts(entered) {
        print("chain, parts of a step", 50, &part, ms, "ms");
    }

    let mut config = bench.cloud.config().into_builder();
    config.set_endpoint_url(Some(bench.cloud.endpoints().s3.clone()));
    let store = S3ObjectStore::new(&config.build());
    let mut puts = Vec::new();
    for n in 0..50 {
        let uri = S3Uri::parse(&format!("s3://{ARTIFACT_BUCKET}/bench/{n}")).unwrap();
        let start = Instant::now();
        store.create(&uri, vec![b'm'; 400].into(), "application/json").await.unwrap();
        puts.push(start.elapsed());
    }
    print("floor", 50, "one create-only put of 400 bytes, durable", median(puts), "ms");
    bench.cloud.shutdown(Duration::ZERO).await;
}

#[tokio::main]
async fn main() {
    let floor = floor(request(2, 0, false)).await;
    for handoff in [Handoff::Event, Handoff::Direct] {
        speed(handoff, floor).await;
        counts(handoff).await;
    }
    // Last, because recording spans costs time.
    parts().await;
    table();
}
