//! Brings a loaded execution to rest: decide, commit, perform, until nothing is left to do.

use std::time::Duration;

use sidestep_core::execution::ExecutionStatus;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::facts::Facts;
use sidestep_core::plan::handoff::{attach_state, is_for_a_step};
use sidestep_core::plan::head::is_head_due;
use sidestep_core::plan::{Event, Plan};
use tracing::{debug, info, warn};

use crate::advance::records::Records;
use crate::engine::Engine;
use crate::error::{EngineError, error_chain};
use crate::loaded::{Loaded, fold};
use crate::ports::executions::Committed;
use crate::ports::objects::StoreError;

/// How settling an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing is left to decide.
    Settled(ExecutionStatus),
    /// The state came from memory and is old. It has to be read from the table.
    StaleState,
    /// Only the planner may decide or do what follows, and a step asked.
    LeftToPlanner,
    /// A step lost its commit while many steps compete for the next one. Nothing was committed.
    Contended,
}

impl Outcome {
    pub(crate) fn status(self) -> Option<ExecutionStatus> {
        match self {
            Self::Settled(status) => Some(status),
            Self::StaleState | Self::LeftToPlanner | Self::Contended => None,
        }
    }
}

/// Who advances the execution.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Road {
    /// The planner, which got the result by an event.
    Planner { is_from_memory: bool },
    /// The step itself, right after it has finished.
    Direct {
        is_from_memory: bool,
        /// Leave the result to the planner once a commit is lost while many steps compete.
        yields: bool,
    },
}

impl Road {
    /// Returns true if the state may be old: another process may have gone on since.
    fn is_from_memory(self) -> bool {
        match self {
            Self::Planner { is_from_memory } | Self::Direct { is_from_memory, .. } => {
                is_from_memory
            }
        }
    }

    fn is_direct(self) -> bool {
        matches!(self, Self::Direct { .. })
    }

    fn yields(self) -> bool {
        matches!(self, Self::Direct { yields: true, .. })
    }
}

/// An execution while it is settled.
struct Settling {
    loaded: Loaded,
    /// The events that no commit has taken in yet.
    events: Vec<Event>,
    facts: Facts,
    road: Road,
    has_won: bool,
    losses: u32,
}

impl Settling {
    fn id(&self) -> &ExecutionId {
        &self.loaded.start.execution_id
    }

    fn settled(&self) -> Outcome {
        Outcome::Settled(self.loaded.execution.status)
    }
}

/// What to do after planning.
enum Decision {
    Commit(Box<Plan>),
    /// Commits were missing from the state; plan again.
    Again,
    Stop(Outcome),
}

impl Engine {
    /// Settles an execution: commits what its events and its state ask for, until nothing is left.
    pub(crate) async fn settle(
        &self,
        loaded: Loaded,
        events: Vec<Event>,
        mut facts: Facts,
        road: Road,
    ) -> Result<Outcome, EngineError> {
        facts.is_held = !self.available.has_all(&loaded.start, &*self.functions).await?;
        let mut settling = Settling { loaded, events, facts, road, has_won: false, losses: 0 };
        loop {
            let plan = match self.decide(&mut settling).await {
                Ok(Decision::Commit(plan)) => *plan,
                Ok(Decision::Again) => continue,
                Ok(Decision::Stop(outcome)) => return Ok(outcome),
                // A step's role reaches less than the planner's.
                Err(EngineError::Store(error @ StoreError::Denied { .. })) if road.is_direct() => {
                    let error = error_chain(&error);
                    warn!(execution_id = %settling.id(), error, "left to the planner: the step has no permission to look");
                    return Ok(Outcome::LeftToPlanner);
                }
                Err(error) => return Err(error),
            };
            if let Some(outcome) = self.commit_or_follow(&mut settling, plan).await? {
                return Ok(outcome);
            }
        }
    }

    /// Plans the next commit, or finds that there is none to make.
    async fn decide(&self, settling: &mut Settling) -> Result<Decision, EngineError> {
        let Loaded { start, pipeline, execution } = &mut settling.loaded;
        let mut records = Records::default();
        let mut plan = self
            .plan(
                pipeline,
                start,
                execution,
                &settling.events,
                &mut settling.facts,
                Some(&mut records),
            )
            .await?;
        let is_trusted = settling.has_won || !settling.road.is_from_memory();
        if !is_trusted && (!plan.discarded.is_empty() || plan.commit.is_empty()) {
            return Ok(Decision::Stop(Outcome::StaleState));
        }
        // `HEAD` may lag behind, and then it does not know of the report's attempt.
        if !plan.discarded.is_empty() {
            let missed = self.take_in(start, execution).await?;
            if !missed.is_empty() {
                settling.facts.commits.extend(missed.into_iter().map(|it| (it.revision, it)));
                return Ok(Decision::Again);
            }
        }
        for discarded in &plan.discarded {
            info!(execution_id = %start.execution_id, step = %discarded.step,
                attempt_count = discarded.attempt_count, reason = discarded.reason, "report discarded");
        }
        self.note_late_reports(start, pipeline, &plan.discarded, &settling.events).await?;
        if plan.commit.is_empty() {
            return Ok(Decision::Stop(settling.settled()));
        }
        if settling.road.is_direct() && !is_for_a_step(&plan) {
            // What was committed before is complete. A successor that could not be started then,
            // and is to be tried again later, is left to the sweep.
            let outcome =
                if settling.has_won { settling.settled() } else { Outcome::LeftToPlanner };
            return Ok(Decision::Stop(outcome));
        }
        plan.commit.warnings.extend(records.warnings);
        Ok(Decision::Commit(Box::new(plan)))
    }

    /// Tries to create the commit of `plan`. Goes on after a win, and follows the winner after a
    /// loss.
    ///
    /// Returns an outcome once the execution is settled.
    async fn commit_or_follow(
        &self,
        settling: &mut Settling,
        plan: Plan,
    ) -> Result<Option<Outcome>, EngineError> {
        match self.executions.commit(settling.id(), &plan.commit).await? {
            Committed::Won => self.after_win(settling, plan).await,
            Committed::Lost(winner) => {
                debug!(execution_id = %settling.id(), revision = winner.revision, "lost the race for a commit");
                if settling.road.yields()
                    && !settling.has_won
                    && self.contention.is_high(&settling.loaded.execution)
                {
                    return Ok(Some(Outcome::Contended));
                }
                settling.losses += 1;
                self.clock.sleep(pause(settling.losses, self.clock.random())).await;
                let Loaded { start, execution, .. } = &mut settling.loaded;
                self.follow(start, execution, &winner).await?;
                settling.facts.commits.insert(winner.revision, *winner);
                Ok(None)
            }
        }
    }

    /// Folds a commit that was won, performs its effects and tells the watcher.
    async fn after_win(
        &self,
        settling: &mut Settling,
        mut plan: Plan,
    ) -> Result<Option<Outcome>, EngineError> {
        settling.has_won = true;
        let Settling { loaded, events, facts, road, .. } = settling;
        let Loaded { start, pipeline, execution } = loaded;
        let id = &start.execution_id;
        let before = execution.clone();
        fold(id, execution, &plan.commit)?;
        if self.handoff.is_direct() {
            attach_state(pipeline, start, execution, &mut plan);
        }
        // A sole planner and a step have the state in hand and go on without `HEAD`.
        let has_state = road.is_direct() || self.memory.keeps_heads();
        let is_due = !has_state || is_head_due(&plan, execution);
        // A caller that sees a status finds that the watcher was told. The effects need not wait.
        let publish = async {
            self.tell_watcher(start, pipeline, (&before, execution), &plan.commit, facts).await;
            self.remember(id, execution, &plan.commit);
            let written = if is_due {
                self.advance_head(start, execution, &plan.commit).await
            } else {
                Ok(())
            };
            // Who hears of an end finds it in `HEAD`, too.
            self.won.send_modify(|count| *count += 1);
            written
        };
        let (published, failed, ()) =
            futures::join!(publish, self.perform(start, pipeline, &plan), self.touch(&plan));
        if published.is_err() {
            // With the state in memory, the next commit would go on without telling `HEAD` and the
            // list of executions what this one means.
            self.memory.forget_head(id);
        }
        published?;
        facts.commits.insert(plan.commit.revision, plan.commit);
        events.drain(..plan.taken);
        events.extend(failed);
        let is_done = events.is_empty() && !plan.is_partial;
        Ok(is_done.then_some(Outcome::Settled(execution.status)))
    }
}

/// Returns how long to wait after a lost commit, by chance.
///
/// Of many branches that end together, each would otherwise lose to each. A lost commit is billed
/// like one that counts, which costs more than a function's time for this long.
fn pause(losses: u32, random: [u8; 32]) -> Duration {
    const FIRST: Duration = Duration::from_millis(4);
    const DOUBLINGS: u32 = 6;
    FIRST * 2_u32.pow(losses.min(DOUBLINGS)) * u32::from(random[0]) / 256
}
