//! The simulated deployment: its stores, its planners, which are processes with their own clocks,
//! and the way of events to them.

use std::sync::{Arc, Weak};

use futures::future::{BoxFuture, Either, select};
use parking_lot::Mutex;
use serde_json::Value;
use sidestep_core::execution::commit::{CacheEntry, Commit};
use sidestep_core::execution::invocation::Invocation;
use sidestep_core::execution::manifest::Manifest;
use sidestep_core::execution::start::{STATE_VERSION, STATE_VERSION_WITHOUT_JOBS};
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::handoff::{CarriedState, Contention, Handoff};
use sidestep_engine::advance::handoff::HandoffOutcome;
use sidestep_engine::engine::Engine;
use sidestep_engine::error::{EngineError, error_chain};
use sidestep_engine::handle::sqs_batch::Consumer;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::cache_index::CacheIndex;
use sidestep_engine::ports::executions::{Committed, ExecutionStore, TableError};
use sidestep_engine::ports::objects::memory::MemoryObjectStore;
use sidestep_engine::ports::{Deployment, Ports};

use super::executor::Sim;
use super::notes::Notes;
use super::options::{Bug, Options};
use crate::memory::{MemoryCache, MemoryFunctions, MemoryTable};

pub(crate) const BUCKET: &str = "artifacts";
/// The planner function's timeout.
const PLANNER_MS: u64 = 60_000;
/// Lambda's pauses before the second and the third attempt of an asynchronous invocation.
const RETRIES_MS: [u64; 2] = [60_000, 120_000];
/// The longest delay of a message in SQS.
const LONGEST_DELAY_MS: u64 = 900_000;

/// Makes the ports of a process whose clock is ahead by so many milliseconds.
///
/// The world gets it from its maker, because the ports are made of the world.
pub(crate) type MakePorts = fn(Arc<World>, u64) -> Ports;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) table: MemoryTable,
    pub(crate) cache: MemoryCache,
    pub(crate) objects: MemoryObjectStore,
    pub(crate) functions: MemoryFunctions,
    pub(crate) notes: Mutex<Notes>,
    planners: Mutex<Vec<Planner>>,
    /// A planted mistake, which the check must find.
    pub(crate) bug: Option<Bug>,
    pub(crate) is_hostile: bool,
    /// The roads that results take.
    pub(crate) handoff: Handoff,
    /// True if the first planner and some functions are of the previous release.
    pub(crate) is_mixed: bool,
    pub(crate) contention: Contention,
    /// True if steps have a queue for results.
    pub(crate) has_reports: bool,
    ports: MakePorts,
    me: Weak<Self>,
}

#[derive(Debug)]
struct Planner {
    engine: Arc<Engine>,
    skew_ms: u64,
}

impl World {
    pub(crate) fn new(sim: Sim, planners: usize, options: &Options, ports: MakePorts) -> Arc<Self> {
        let roads = [Handoff::Event, Handoff::Direct, Handoff::Both];
        let drawn = roads[usize::try_from(sim.draw(0..3)).unwrap_or_default()];
        let handoff = options.handoff.unwrap_or(drawn);
        let is_mixed = planners > 1 && sim.draw(0..3) == 0;
        // From what no simulated step is fast enough for, to what every one of several is.
        let commit_ms = [0, 5, 200][usize::try_from(sim.draw(0..3)).unwrap_or_default()];
        let has_reports = sim.draw(0..4) > 0;
        let world = Arc::new_cyclic(|me| Self {
            handoff,
            is_mixed,
            contention: Contention { min_steps: 2, commit_ms },
            has_reports,
            sim,
            table: MemoryTable::default(),
            cache: MemoryCache::default(),
            objects: MemoryObjectStore::default(),
            functions: MemoryFunctions::default(),
            notes: Mutex::default(),
            planners: Mutex::default(),
            bug: options.bug,
            is_hostile: options.is_hostile,
            ports,
            me: me.clone(),
        });
        for number in 0..planners {
            let most = world.sim.state().faults.skew_ms;
            let skew_ms = world.sim.draw(0..most + 1);
            let planner = Planner {
                engine: world.engine(skew_ms, planners == 1, is_mixed && number == 0),
                skew_ms,
            };
            world.planners.lock().push(planner);
        }
        world
    }

    pub(crate) fn arc(&self) -> Arc<Self> {
        self.me.upgrade().expect("the caller holds it")
    }

    pub(crate) fn notes(&self) -> parking_lot::MutexGuard<'_, Notes> {
        self.notes.lock()
    }

    pub(crate) fn note(&self, fault: &'static str) {
        *self.sim.state().injected.entry(fault).or_default() += 1;
        self.sim.trace(|| format!("  {fault}"));
    }

    fn engine(&self, skew_ms: u64, is_sole_planner: bool, is_old: bool) -> Arc<Engine> {
        let deployment = Deployment {
            artifact_bucket: BUCKET.to_owned(),
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
        };
        let options = EngineOptions {
            handoff: self.handoff,
            contention: self.contention,
            is_sole_planner,
            state_version: if is_old { STATE_VERSION_WITHOUT_JOBS - 1 } else { STATE_VERSION },
            ..EngineOptions::default()
        };
        Arc::new(Engine::new(deployment, (self.ports)(self.arc(), skew_ms), options))
    }

    /// Lets a finished step commit its result, in a process of its own. Returns `None` if it died.
    pub(crate) async fn hand_off(
        &self,
        invocation: &Invocation,
        carried: Option<CarriedState>,
        manifest: &Manifest,
    ) -> Option<HandoffOutcome> {
        let (crash, skew_ms) = {
            let state = self.sim.state();
            (state.faults.crash, state.faults.skew_ms)
        };
        let is_old = self.is_mixed && self.sim.chance(300);
        let engine = self.engine(self.sim.draw(0..skew_ms + 1), false, is_old);
        let polls =
            self.sim.chance(crash).then(|| u32::try_from(self.sim.draw(1..60)).unwrap_or(1));
        let result = self.sim.mortal(engine.hand_off(invocation, carried, manifest), polls).await?;
        match result {
            Ok(done) => Some(done),
            Err(error) => {
                self.sim.trace(|| format!("  error: {}", error_chain(&error)));
                if is_impossible(&error, is_old) {
                    self.sim.violation(error_chain(&error));
                }
                Some(HandoffOutcome::LeftToPlanner)
            }
        }
    }

    /// Lets one of the planners do something. Returns `None` if it died or ran out of time. Another
    /// process then takes its place.
    pub(crate) async fn call<T>(
        &self,
        what: impl FnOnce(Arc<Engine>) -> BoxFuture<'static, Result<T, EngineError>>,
    ) -> Option<Result<T, EngineError>> {
        let (number, engine, is_alone) = {
            let planners = self.planners.lock();
            let number = usize::try_from(self.sim.draw(0..planners.len() as u64)).unwrap_or(0);
            (number, Arc::clone(&planners[number].engine), planners.len() == 1)
        };
        let crash = self.sim.state().faults.crash;
        let polls =
            self.sim.chance(crash).then(|| u32::try_from(self.sim.draw(1..150)).unwrap_or(1));
        let timed = select(what(engine), Box::pin(self.sim.sleep(PLANNER_MS)));
        let result = match self.sim.mortal(timed, polls).await {
            Some(Either::Left((result, _))) => result,
            died => {
                self.note(if died.is_none() { "planner died" } else { "planner timed out" });
                let mut planners = self.planners.lock();
                let skew_ms = planners[number].skew_ms;
                planners[number].engine = self.engine(skew_ms, is_alone, self.is_old(number));
                return None;
            }
        };
        if let Err(error) = &result {
            self.sim.trace(|| format!("  error: {}", error_chain(error)));
            if is_impossible(error, self.is_old(number)) {
                self.sim.violation(error_chain(error));
            }
        }
        Some(result)
    }

    /// Delivers an event to the planner after a delay. It may be lost, doubled or late, and comes
    /// again after an error, twice at most.
    pub(crate) fn deliver(&self, delay_ms: u64, event: &Value) {
        let (lost, doubled, late) = {
            let state = self.sim.state();
            (state.faults.lost, state.faults.doubled, state.faults.late)
        };
        if self.sim.chance(lost) {
            return self.note("event lost");
        }
        let mut times = 1;
        if self.sim.chance(doubled) {
            self.note("event doubled");
            times = 2;
        }
        for _ in 0..times {
            let mut delay_ms = delay_ms + self.sim.draw(1..40);
            if self.sim.chance(late) {
                self.note("event late");
                delay_ms += self.sim.draw(1_000..900_000);
            }
            let (world, event) = (self.arc(), event.clone());
            self.sim.spawn(async move {
                world.sim.sleep(delay_ms).await;
                for pause_ms in RETRIES_MS.into_iter().chain([0]) {
                    world.sim.next_hop();
                    world.sim.trace(|| format!("planner <- {event}"));
                    let event = event.clone();
                    let handle = move |engine: Arc<Engine>| -> BoxFuture<'static, _> {
                        Box::pin(async move { engine.consume(Consumer::Planner, event).await })
                    };
                    if matches!(world.call(handle).await, Some(Ok(_))) {
                        return;
                    }
                    world.sim.sleep(pause_ms).await;
                }
            });
        }
    }

    /// Creates a commit, and checks that nothing is added to an execution that has ended.
    pub(crate) async fn commit(
        &self,
        id: &ExecutionId,
        commit: &Commit,
    ) -> Result<Committed, TableError> {
        if self.bug == Some(Bug::TwoCommitsOfOneRevision) && self.sim.chance(300) {
            self.sim.trace(|| format!("{id} commit {} accepted unseen", commit.revision));
            return Ok(Committed::Won);
        }
        let before = self.table.commits(id, &[commit.revision - 1]).await?;
        let committed = self.table.commit(id, commit).await?;
        if committed == Committed::Won {
            if before.first().is_some_and(|last| last.end.is_some()) && commit.retry.is_none() {
                self.sim.violation(format!("{id}: a commit after the end"));
            }
            let now_ms = self.sim.now_ms();
            self.notes().committed_ms.entry((id.clone(), commit.revision)).or_insert(now_ms);
            self.sim.trace(|| {
                let commit = serde_json::to_string(commit).unwrap_or_default();
                format!("{id} commit {commit}")
            });
        }
        Ok(committed)
    }

    fn is_old(&self, number: usize) -> bool {
        self.is_mixed && number == 0
    }

    pub(crate) async fn publish(
        &self,
        entry: &CacheEntry,
    ) -> Result<Option<CacheEntry>, TableError> {
        let now_ms = self.sim.now_ms();
        self.notes().published_ms.entry(entry.key().to_string()).or_insert(now_ms);
        self.cache.publish(entry).await
    }

    pub(crate) fn later(&self, event: &Value, at_ms: u64, now_ms: u64) {
        let delay_ms = at_ms.saturating_sub(now_ms).min(LONGEST_DELAY_MS);
        self.deliver(delay_ms, event);
    }
}

/// Returns true if an error says that the state is damaged.
fn is_impossible(error: &EngineError, is_old: bool) -> bool {
    if matches!(error, EngineError::NewerState { .. }) {
        return !is_old;
    }
    matches!(
        error,
        EngineError::Damaged { .. }
            | EngineError::CommitMissing { .. }
            | EngineError::DefinitionMissing { .. }
            | EngineError::Definition(_)
            | EngineError::Table(TableError::Unreadable { .. })
    )
}
