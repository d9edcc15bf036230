//! Measures load: `cargo bench -p sidestep-tests --bench load`.
//!
//! 1 to 200 to 1, 20 chains at once, many past executions, on both roads; and the floor.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a benchmark")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod bench;

use std::time::{Duration, Instant};

use futures::future::join_all;
use sidestep_aws::counter::Counter;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::handoff::Handoff;

use bench::floor::floor;
use bench::shape::{chain, fan};
use bench::{Bench, is_asked, median, print, table, usage, whole};

async fn fans(handoff: Handoff) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), handoff, None, false).await;
    bench.run(fan(10, 0)).await;
    for width in [10, 50, 200] {
        let mut times = Vec::new();
        for round in 1..=3 {
            times.push(bench.run(fan(width, round)).await);
        }
        let metric = format!("time per step, {handoff}, median of 3");
        print("1 to n to 1", width, &metric, median(times) / whole(width + 2), "ms");
    }
    bench.cloud.shutdown(Duration::ZERO).await;

    let folder = tempfile::tempdir().unwrap();
    let counter = Counter::new("engine");
    let bench = Bench::start(folder.path(), handoff, Some(&counter), false).await;
    bench.run(fan(10, 0)).await;
    for width in [10, 50, 200] {
        let usage = usage(&bench, &counter, fan(width, 1)).await;
        let steps = u64::try_from(width + 2).unwrap();
        let metric = format!("requests and units, {handoff}, per million steps");
        print("1 to n to 1", width, &metric, usage.usd_per_million(steps), "USD");
        let metric = format!("write units, {handoff}, per step");
        print("1 to n to 1", width, &metric, usage.write_units / whole(width + 2), "");
    }
    bench.cloud.shutdown(Duration::ZERO).await;
}

async fn chains(handoff: Handoff) {
    const CHAINS: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), handoff, None, false).await;
    bench.run(chain(0, 2)).await;
    let mut rates = Vec::new();
    for round in 1..=3 {
        let began = Instant::now();
        join_all(
            (0..CHAINS).map(|n| {
                bench.run_among(u32::try_from(CHAINS).unwrap(), chain(round * 100 + n, 50))
            }),
        )
        .await;
        rates.push(began.elapsed() / u32::try_from(CHAINS).unwrap());
    }
    let per_execution = median(rates);
    let metric = format!("executions of 50 steps per second, {handoff}");
    print("20 chains at once", CHAINS, &metric, 1e3 / per_execution, "1/s");
    bench.cloud.shutdown(Duration::ZERO).await;
}

/// Measures whether many ended executions slow down a new one.
async fn past() {
    const PAST: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), Handoff::Event, None, false).await;
    bench.run(chain(0, 10)).await;
    let few = median_of_chains(&bench, 1).await;
    let prepared = bench.engine.prepare(chain(0, 10)).await.unwrap();
    let executions = bench.engine.executions();
    for group in 0..PAST / 100 {
        let create = (0..100).map(|n| {
            let mut start = prepared.start.clone();
            let mut id = [0; 16];
            id[..8].copy_from_slice(&u64::try_from(group * 100 + n + 1).unwrap().to_be_bytes());
            start.execution_id = ExecutionId::from_bytes(id);
            async move {
                executions.create(&start, 10).await.unwrap();
                let mut over = sidestep_core::execution::Execution::new(10);
                over.status = sidestep_core::execution::ExecutionStatus::Stopped;
                over.revision = 1;
                let end =
                    sidestep_core::execution::commit::End { stopped: true, ..Default::default() };
                let change =
                    sidestep_engine::ports::executions::HeadChange::Ended { end: &end, at_ms: 1 };
                executions.advance_head(&start, &over, change).await.unwrap();
            }
        });
        join_all(create).await;
    }
    let many = median_of_chains(&bench, 2).await;
    print("chain of 10", 10, "time per step, first of its table, median of 5", few / 10.0, "ms");
    print("chain of 10", PAST, "time per step, after so many, median of 5", many / 10.0, "ms");
    let began = Instant::now();
    let listed = executions.list(None, 100).await.unwrap().len();
    print("list", PAST, "the newest 100", began.elapsed().as_secs_f64() * 1e3, "ms");
    assert_eq!(listed, 100);
    bench.cloud.shutdown(Duration::ZERO).await;
}

async fn median_of_chains(bench: &Bench, round: usize) -> f64 {
    let mut times = Vec::new();
    for n in 0..5 {
        times.push(bench.run(chain(round * 10 + n, 10)).await);
    }
    median(times)
}

#[tokio::main]
async fn main() {
    floor(chain(0, 2)).await;
    for handoff in [Handoff::Event, Handoff::Direct] {
        if is_asked("fans") {
            fans(handoff).await;
        }
        if is_asked("chains") {
            chains(handoff).await;
        }
    }
    if is_asked("past") {
        past().await;
    }
    table();
}
