//! The ports in memory, behind faults: each effect pauses before and after it, and the seed decides
//! its fault.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use sidestep_core::cache::key::CacheKey;
use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::{CacheEntry, Commit, Revision};
use sidestep_core::execution::invocation::{AttemptName, RequestRecord};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::execution::start::{Function, Start};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::CallbackRecord;
use sidestep_core::plan::late_report::LateReport;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::Ports;
use sidestep_engine::ports::cache_index::{CacheIndex, CachePage, Cursor};
use sidestep_engine::ports::clock::Clock;
use sidestep_engine::ports::executions::{
    Committed, Creation, ExecutionStore, HeadChange, ListRange, Summary, TableError,
};
use sidestep_engine::ports::functions::{FunctionError, Functions};
use sidestep_engine::ports::objects::{
    Created, Download, ObjectFacts, ObjectStore, ObjectStream, StoreError,
};
use sidestep_engine::ports::queues::{QueueError, Queues};

use super::executor::Sim;
use super::faults::Fault;
use super::world::World;
use super::{handler, workload};
use crate::memory::{MemoryBatches, MemoryTriggers};

/// One planner process's view of the world.
#[derive(Debug, Clone)]
struct Faulty {
    world: Arc<World>,
    /// The difference between this process's clock and the true time.
    skew_ms: u64,
}

/// Returns the ports of a process whose clock is ahead by `skew_ms`.
pub(crate) fn ports(world: Arc<World>, skew_ms: u64) -> Ports {
    let faulty = Arc::new(Faulty { world, skew_ms });
    Ports {
        executions: faulty.clone(),
        cache: faulty.clone(),
        objects: faulty.clone(),
        functions: faulty.clone(),
        queues: faulty.clone(),
        triggers: Arc::new(MemoryTriggers::default()),
        batches: Arc::new(MemoryBatches::default()),
        clock: faulty,
    }
}

impl Sim {
    async fn pause(&self) {
        // Mostly quick, sometimes slow enough for others to do all of theirs.
        let ms = if self.chance(20) { self.draw(50..3_000) } else { self.draw(1..12) };
        self.sleep(ms).await;
    }

    /// Returns the fault of the next effect.
    fn fate(&self, effect: &str) -> Option<Fault> {
        let mut state = self.state();
        let position = state.effects;
        state.effects += 1;
        let fate = if let Some((at, fault)) = state.faults.at {
            (at == position).then_some(fault)
        } else {
            let die = state.rng.u32(0..1_000);
            let mut sum = 0;
            let chances = state.faults.effect;
            Fault::ALL.into_iter().zip(chances).find_map(|(fault, chance)| {
                sum += chance;
                (die < sum).then_some(fault)
            })
        };
        if let Some(fault) = fate {
            *state.injected.entry(fault.name()).or_default() += 1;
        }
        drop(state);
        if let Some(fault) = fate {
            self.trace(|| format!("  {}: {effect}", fault.name()));
        }
        fate
    }
}

/// Performs an effect with its fault.
macro_rules! effect {
    ($sim:expr, $name:expr, $call:expr, $error:expr) => {{
        let sim = $sim;
        let fate = sim.fate($name);
        sim.pause().await;
        match fate {
            Some(Fault::Fail) => return Err($error),
            Some(Fault::CrashBefore) => sim.die().await,
            Some(Fault::Twice) => drop($call.await),
            _ => {}
        }
        let result = $call.await;
        match fate {
            Some(Fault::FailAfter) => return Err($error),
            Some(Fault::CrashAfter) => sim.die().await,
            _ => {}
        }
        sim.pause().await;
        result
    }};
}

fn injected() -> Box<dyn std::error::Error + Send + Sync> {
    "an injected fault".into()
}

fn table(operation: &'static str) -> TableError {
    let item = "injected".to_owned();
    TableError::Unavailable { operation, item, retryable: true, source: injected() }
}

fn store(operation: &'static str, uri: &S3Uri) -> StoreError {
    StoreError::Unavailable { operation, uri: uri.clone(), retryable: true, source: injected() }
}

#[async_trait]
impl Clock for Faulty {
    fn now_ms(&self) -> u64 {
        self.world.sim.now_ms() + self.skew_ms
    }

    fn random(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.world.sim.state().rng.fill(&mut bytes);
        bytes
    }

    async fn sleep(&self, time: Duration) {
        self.world.sim.sleep(time.as_millis().try_into().unwrap_or(u64::MAX)).await;
    }
}

#[async_trait]
impl ExecutionStore for Faulty {
    async fn create(&self, start: &Start, step_count: usize) -> Result<Creation, TableError> {
        let call = || self.world.table.create(start, step_count);
        effect!(&self.world.sim, "create", call(), table("create"))
    }

    async fn start(&self, id: &ExecutionId) -> Result<Option<Start>, TableError> {
        effect!(&self.world.sim, "start", self.world.table.start(id), table("read"))
    }

    async fn head(&self, id: &ExecutionId) -> Result<Option<Execution>, TableError> {
        effect!(&self.world.sim, "head", self.world.table.head(id), table("read"))
    }

    async fn commits(&self, id: &ExecutionId, of: &[Revision]) -> Result<Vec<Commit>, TableError> {
        effect!(&self.world.sim, "commits", self.world.table.commits(id, of), table("read"))
    }

    async fn commits_after(
        &self,
        id: &ExecutionId,
        revision: Revision,
    ) -> Result<Vec<Commit>, TableError> {
        let call = || self.world.table.commits_after(id, revision);
        effect!(&self.world.sim, "commits after", call(), table("query"))
    }

    async fn all_commits(&self, id: &ExecutionId) -> Result<Vec<Commit>, TableError> {
        effect!(&self.world.sim, "all commits", self.world.table.all_commits(id), table("query"))
    }

    async fn commit(&self, id: &ExecutionId, commit: &Commit) -> Result<Committed, TableError> {
        effect!(&self.world.sim, "commit", self.world.commit(id, commit), table("create"))
    }

    async fn advance_head(
        &self,
        start: &Start,
        execution: &Execution,
        change: HeadChange<'_>,
    ) -> Result<(), TableError> {
        let call = || self.world.table.advance_head(start, execution, change);
        effect!(&self.world.sim, "advance HEAD", call(), table("update"))
    }

    async fn ask_retry(&self, id: &ExecutionId, revision: Revision) -> Result<bool, TableError> {
        let call = || self.world.table.ask_retry(id, revision);
        effect!(&self.world.sim, "ask retry", call(), table("update"))
    }

    async fn is_retry_asked(&self, id: &ExecutionId) -> Result<bool, TableError> {
        let call = || self.world.table.is_retry_asked(id);
        effect!(&self.world.sim, "is retry asked", call(), table("read"))
    }

    async fn forget(&self, id: &ExecutionId, after: Revision) -> Result<(), TableError> {
        self.world.table.forget(id, after).await
    }

    async fn put_callback(&self, token: &str, record: &CallbackRecord) -> Result<(), TableError> {
        let call = || self.world.table.put_callback(token, record);
        effect!(&self.world.sim, "put callback", call(), table("put"))
    }

    async fn callback(&self, token: &str) -> Result<Option<CallbackRecord>, TableError> {
        effect!(&self.world.sim, "callback", self.world.table.callback(token), table("read"))
    }

    async fn put_request(
        &self,
        request_id: &str,
        record: &RequestRecord,
    ) -> Result<(), TableError> {
        let call = || self.world.table.put_request(request_id, record);
        effect!(&self.world.sim, "put request", call(), table("put"))
    }

    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>, TableError> {
        let found = effect!(
            &self.world.sim,
            "request",
            self.world.table.request(request_id),
            table("read")
        );
        if matches!(found, Ok(None)) {
            self.world.note("request not known yet");
        }
        found
    }

    async fn note_late_report(
        &self,
        id: &ExecutionId,
        late: &LateReport,
    ) -> Result<(), TableError> {
        effect!(
            &self.world.sim,
            "note late",
            self.world.table.note_late_report(id, late),
            table("put")
        )
    }

    async fn late(&self, id: &ExecutionId) -> Result<Vec<LateReport>, TableError> {
        effect!(&self.world.sim, "late", self.world.table.late(id), table("query"))
    }

    async fn live(&self) -> Result<Vec<ExecutionId>, TableError> {
        let live = effect!(&self.world.sim, "live", self.world.table.live(), table("query"));
        let chance = self.world.sim.state().faults.stale_index;
        Ok(live?.into_iter().filter(|_| !self.world.sim.chance(chance)).collect())
    }

    async fn list(
        &self,
        pipeline_name: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<Summary>, TableError> {
        let call = || self.world.table.list(pipeline_name, limit);
        effect!(&self.world.sim, "list", call(), table("query"))
    }

    async fn list_range(
        &self,
        pipeline_name: &PipelineName,
        range: &ListRange,
    ) -> Result<Vec<Summary>, TableError> {
        let call = || self.world.table.list_range(pipeline_name, range);
        effect!(&self.world.sim, "list range", call(), table("query"))
    }
}

#[async_trait]
impl CacheIndex for Faulty {
    async fn entries(&self, keys: &[CacheKey]) -> Result<Vec<CacheEntry>, TableError> {
        effect!(&self.world.sim, "entries", self.world.cache.entries(keys), table("read"))
    }

    async fn publish(&self, entry: &CacheEntry) -> Result<Option<CacheEntry>, TableError> {
        effect!(&self.world.sim, "publish", self.world.publish(entry), table("put"))
    }

    async fn page(&self, after: Option<&Cursor>) -> Result<CachePage, TableError> {
        effect!(&self.world.sim, "page", self.world.cache.page(after), table("scan"))
    }

    async fn touch(&self, key: &CacheKey, at_ms: u64) -> Result<(), TableError> {
        effect!(&self.world.sim, "touch", self.world.cache.touch(key, at_ms), table("update"))
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), TableError> {
        effect!(&self.world.sim, "remove", self.world.cache.remove(key), table("delete"))
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn head(&self, uri: &S3Uri) -> Result<Option<ObjectFacts>, StoreError> {
        effect!(&self.world.sim, "head object", self.world.objects.head(uri), store("head", uri))
    }

    async fn list(
        &self,
        prefix: &S3Uri,
        limit: usize,
    ) -> Result<Vec<(String, ObjectFacts)>, StoreError> {
        let call = || self.world.objects.list(prefix, limit);
        effect!(&self.world.sim, "list objects", call(), store("list", prefix))
    }

    async fn get(&self, uri: &S3Uri, max_bytes: u64) -> Result<Option<Bytes>, StoreError> {
        let call = || self.world.objects.get(uri, max_bytes);
        effect!(&self.world.sim, "get object", call(), store("get", uri))
    }

    async fn download(&self, uri: &S3Uri) -> Result<Option<Download>, StoreError> {
        effect!(&self.world.sim, "download", self.world.objects.download(uri), store("get", uri))
    }

    async fn create(
        &self,
        uri: &S3Uri,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<Created, StoreError> {
        let call = || self.world.objects.create(uri, bytes.clone(), content_type);
        effect!(&self.world.sim, "create object", call(), store("create", uri))
    }

    async fn upload(&self, uri: &S3Uri, stream: ObjectStream) -> Result<Artifact, StoreError> {
        self.world.objects.upload(uri, stream).await
    }

    async fn delete(&self, uri: &S3Uri) -> Result<(), StoreError> {
        effect!(
            &self.world.sim,
            "delete object",
            self.world.objects.delete(uri),
            store("delete", uri)
        )
    }
}

#[async_trait]
impl Functions for Faulty {
    async fn describe(&self, function_arn: &str) -> Result<Option<Function>, FunctionError> {
        let error = || unavailable("describe", function_arn);
        let call = || self.world.functions.describe(function_arn);
        effect!(&self.world.sim, "describe", call(), error())
    }

    async fn invoke(
        &self,
        invoke_arn: &str,
        payload: &Value,
        attempt: &AttemptName,
    ) -> Result<String, FunctionError> {
        let throttled = self.world.sim.state().faults.throttled;
        if self.world.sim.chance(throttled) {
            self.world.note("throttled");
            return Err(FunctionError::Throttled { function_arn: invoke_arn.to_owned() });
        }
        let call = || handler::invoke(&self.world, invoke_arn, payload, attempt);
        effect!(&self.world.sim, "invoke", call(), unavailable("invoke", invoke_arn))
    }
}

fn unavailable(operation: &'static str, arn: &str) -> FunctionError {
    FunctionError::Unavailable { operation, function_arn: arn.to_owned(), source: injected() }
}

#[async_trait]
impl Queues for Faulty {
    async fn send(&self, queue_url: &str, body: &Value) -> Result<(), QueueError> {
        let call = || async { workload::send(&self.world, queue_url, body) };
        effect!(&self.world.sim, "send", call(), unsent(queue_url))
    }

    async fn later(&self, event: &Value, at_ms: u64, now_ms: u64) -> Result<(), QueueError> {
        let call = async || {
            self.world.later(event, at_ms, now_ms);
            Ok(())
        };
        effect!(&self.world.sim, "wake", call(), unsent("timers"))
    }

    async fn report(&self, event: &Value) -> Result<bool, QueueError> {
        let call = async || {
            if self.world.has_reports {
                self.world.note("result left to the planner");
                self.world.deliver(0, event);
            }
            Ok(self.world.has_reports)
        };
        effect!(&self.world.sim, "report", call(), unsent("reports"))
    }
}

fn unsent(queue_url: &str) -> QueueError {
    QueueError::Unavailable { queue_url: queue_url.to_owned(), source: injected() }
}
