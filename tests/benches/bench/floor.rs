//! The floor beside which other figures are read.

use std::time::{Duration, Instant};

use sidestep_core::plan::handoff::Handoff;
use sidestep_engine::start::StartRequest;
use sidestep_local::lambda::InvocationType;

use super::{Bench, median, print};

/// Measures one write and one invocation without sidestep's planner around them, in milliseconds
/// together.
pub(crate) async fn floor(request: StartRequest) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), Handoff::Event, None, false).await;
    bench.run(request.clone()).await;
    let prepared = bench.engine.prepare(request).await.unwrap();
    let steps = prepared.pipeline.steps.len();
    let executions = bench.engine.executions();
    executions.create(&prepared.start, steps).await.unwrap();
    let (mut writes, mut invocations) = (Vec::new(), Vec::new());
    let mut over = sidestep_core::execution::Execution::new(steps);
    for revision in 1..=200 {
        over.revision = revision;
        let began = Instant::now();
        let change = sidestep_engine::ports::executions::HeadChange::Ongoing;
        executions.advance_head(&prepared.start, &over, change).await.unwrap();
        writes.push(began.elapsed());
    }
    for _ in 0..200 {
        let began = Instant::now();
        let payload = bytes::Bytes::from_static(b"{\"Value\":1}");
        let kind = InvocationType::RequestResponse;
        bench.cloud.lambda().invoke("noop", payload, kind).await.unwrap();
        invocations.push(began.elapsed());
    }
    let (write, invocation) = (median(writes), median(invocations));
    print("floor", 200, "one conditional write, durable, over HTTP, median", write, "ms");
    print("floor", 200, "one invocation of a warm process, median", invocation, "ms");
    bench.cloud.shutdown(Duration::ZERO).await;
    write + invocation
}
