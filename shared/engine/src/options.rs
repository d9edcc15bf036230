//! What an engine is told about itself when it is made.

use std::sync::Arc;
use std::time::Duration;

use sidestep_core::execution::start::STATE_VERSION;
use sidestep_core::job::start::JobSettings;
use sidestep_core::plan::handoff::{Contention, Handoff};

use crate::ports::freshness::Freshness;
use crate::ports::watcher::Watcher;

/// How an engine works. The default is a planner among others, on AWS.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// How results reach the executions. With [`Handoff::Direct`], invocations take the state
    /// along.
    pub handoff: Handoff,
    /// From when on finishing steps leave their results to the planner, instead of competing for
    /// the next commit.
    pub contention: Contention,
    /// No other planner advances the same executions, as in the embedded cloud.
    ///
    /// States are then kept in memory. If another planner does exist, commits are lost, and nothing
    /// else happens.
    pub is_sole_planner: bool,
    /// Before each commit, verify that every function of the execution is deployed here with the
    /// same code. If one is not, results are recorded but nothing is started.
    pub checks_functions: bool,
    /// The version of state that the engine writes, and the newest that it reads. Below
    /// [`STATE_VERSION`], the engine behaves as an older release.
    pub state_version: u32,
    /// Who starts the jobs of new executions. Without it, pipelines with job steps are refused.
    pub jobs: Option<JobSettings>,
    /// If true, the services trace what attempts read and write, as the embedded cloud does.
    pub is_traced: bool,
    /// How old the last recorded use of a cache entry must be before a hit is recorded. On AWS each
    /// record costs a write.
    pub touch_after: Duration,
    /// Is told each change of status.
    pub watcher: Option<Arc<dyn Watcher>>,
    /// Is asked before a trigger starts something. Without it, what is registered counts.
    pub freshness: Option<Arc<dyn Freshness>>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            handoff: Handoff::default(),
            contention: Contention::default(),
            is_sole_planner: false,
            checks_functions: false,
            state_version: STATE_VERSION,
            jobs: None,
            is_traced: false,
            touch_after: Duration::from_hours(24),
            watcher: None,
            freshness: None,
        }
    }
}
