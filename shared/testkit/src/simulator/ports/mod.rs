//! The ports in memory, behind faults: each effect pauses before and after it, and the seed decides
//! its fault.

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

mod cache;
mod executions;
mod functions;
mod objects;
mod queues;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sidestep_engine::ports::Ports;
use sidestep_engine::ports::clock::Clock;
use sidestep_engine::ports::executions::TableError;

use super::executor::Sim;
use super::faults::Fault;
use super::world::World;
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

fn injected() -> Box<dyn std::error::Error + Send + Sync> {
    "an injected fault".into()
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

fn table(operation: &'static str) -> TableError {
    let item = "injected".to_owned();
    TableError::Unavailable { operation, item, retryable: true, source: injected() }
}
