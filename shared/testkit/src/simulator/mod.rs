//! The simulator: whole executions on the real engine and the real planner, under a virtual clock
//! and with every fault there is.
//!
//! One seed draws a pipeline, the users' workload and the faults, and decides every interleaving.
//! The same seed gives the same run to the byte. After a while the faults stop. From then on, the
//! sweep alone must bring every execution to its end. The check then compares every execution,
//! commit by commit, with a reference that was written from the documents (`reference.rs`).
//!
//! DynamoDB, S3 and Lambda themselves are not simulated. Their adapters pass the suites of the
//! ports and are tested elsewhere.

mod check;
mod example;
mod executor;
mod faults;
mod forger;
mod function;
mod handler;
mod lease;
mod notes;
mod options;
mod pipeline;
mod ports;
mod reference;
mod workload;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use parking_lot::Mutex;
use sidestep_engine::ports::executions::ExecutionStore;

pub use self::example::Example;
use self::executor::Sim;
pub use self::faults::{Fault, Faults};
pub use self::options::{Bug, Options};
use self::pipeline::Model;
use self::workload::{Asked, Workload};
use self::world::World;

/// When the virtual clock begins, in milliseconds since 1970.
const START_MS: u64 = 1_700_000_000_000;
/// After this time nothing can be on its way, because leases, delays and users take less.
const LIMIT_MS: u64 = 24 * 3_600_000;

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Broken promises. A run without any has passed.
    pub violations: Vec<String>,
    pub trace: String,
    pub executions: u64,
    pub invocations: u64,
    pub commits: u64,
    /// Faults by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// The most visits of the planner in one chain of events. Lambda breaks a chain at the 17th,
    /// unless it is configured otherwise.
    pub longest_chain: u32,
    /// The number of effects, which are the positions for a planned fault.
    pub effects: u64,
    /// How each execution ended, without URIs and times.
    pub ends: Vec<String>,
}

/// Runs a seed.
pub fn run(seed: u64, options: &Options) -> Outcome {
    let mut rng = Rng::with_seed(seed);
    let model = Model::random(&mut rng);
    let faults = Faults::random(&mut rng);
    let workload = Workload { executions: rng.u64(1..5), is_restless: rng.u32(0..4) > 0 };
    let planners = rng.usize(1..4);
    simulate(rng.u64(..), &model, faults, workload, planners, options)
}

/// Runs an example twice in a row, with no fault but the one at the given effect.
pub fn run_example(example: Example, at: Option<(u64, Fault)>, options: &Options) -> Outcome {
    // A position that is never reached, so that the random numbers are the same with and without a
    // fault.
    let at = at.or(Some((u64::MAX, Fault::Fail)));
    let faults = Faults { at, until_ms: LIMIT_MS, ..Faults::default() };
    let workload = Workload { executions: 2, is_restless: false };
    simulate(1, &example.model(), faults, workload, 2, options)
}

fn simulate(
    seed: u64,
    model: &Model,
    faults: Faults,
    workload: Workload,
    planners: usize,
    options: &Options,
) -> Outcome {
    let is_clean = faults.is_none();
    let until_ms = faults.until_ms;
    let sim = Sim::new(seed, START_MS, faults, options.is_traced);
    let about = format!("{planners} planners, {workload:?}, {:?}", sim.state().faults);
    sim.trace(|| format!("{about}\n{}", model.definition()));
    let world = World::new(sim.clone(), planners, options, ports::ports);
    // An event that reaches a planner of the previous release again and again is as good as lost.
    let is_clean = is_clean && !world.is_mixed;
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let is_idle = Arc::new(std::sync::atomic::AtomicBool::new(false));
    {
        let (world, asked, is_idle) =
            (Arc::clone(&world), Arc::clone(&asked), Arc::clone(&is_idle));
        let model = model.clone();
        sim.spawn_new(async move {
            workload::user(world, model, workload, asked).await;
            is_idle.store(true, std::sync::atomic::Ordering::SeqCst);
        });
    }
    let calm = sim.clone();
    sim.spawn_new(async move {
        calm.sleep(until_ms).await;
        calm.trace(|| "the faults stop".to_owned());
        let skew_ms = calm.state().faults.skew_ms;
        calm.state().faults = Faults { skew_ms, ..Faults::default() };
    });
    if options.bug != Some(Bug::ForgetsInvocations) {
        let (seen, asked) = (Arc::clone(&world), Arc::clone(&asked));
        let is_done = move || {
            is_idle.load(std::sync::atomic::Ordering::SeqCst)
                && asked.lock().iter().all(|asked| {
                    let head = futures::executor::block_on(seen.table.head(&asked.id));
                    let is_over = head.ok().flatten().is_none_or(|head| head.status.is_over());
                    let is_asked = seen.table.is_retry_asked(&asked.id);
                    is_over && !futures::executor::block_on(is_asked).unwrap_or_default()
                })
        };
        sim.spawn_new(workload::sweeper(Arc::clone(&world), is_done));
    }
    sim.run(START_MS + LIMIT_MS);
    let asked = std::mem::take(&mut *asked.lock());
    let ends = check::check(&world, &asked, is_clean);
    let notes = world.notes();
    let (invocations, commits) = (notes.invocations, notes.committed_ms.len() as u64);
    drop(notes);
    let trace = sim.take_trace();
    let state = sim.state();
    Outcome {
        violations: state.violations.clone(),
        trace,
        executions: asked.len() as u64,
        invocations,
        commits,
        faults: state.injected.clone(),
        longest_chain: state.longest_chain,
        effects: state.effects,
        ends,
    }
}
