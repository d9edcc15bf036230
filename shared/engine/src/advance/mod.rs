//! One turn of an execution: load it, plan until no fact is missing, commit, perform the effects,
//! and again until nothing is left to decide.

mod files;
mod gather;
pub mod handoff;
mod head;
mod late_report;
pub(crate) mod mailbox;
mod perform;
mod records;
mod request;
mod settle;
mod watch;

use sidestep_core::execution::ExecutionStatus;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::Event;
use sidestep_core::plan::facts::Facts;

use crate::advance::mailbox::Joined;
use crate::advance::settle::Road;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::loaded::Loaded;

impl Engine {
    /// Applies events to an execution and does all that follows, until nothing is left to decide.
    ///
    /// Calls that wait for the same execution meanwhile are handled together.
    ///
    /// Twice with the same events: the second call finds them settled. Stopped half-way: before the
    /// commit nothing has happened, and after it the sweep begins new attempts for what was not
    /// invoked.
    pub async fn advance(
        &self,
        id: &ExecutionId,
        events: Vec<Event>,
    ) -> Result<ExecutionStatus, EngineError> {
        let mailbox = self.mailboxes.of(id);
        let turn = match mailbox.join(events).await {
            Joined::Handled(status) => return Ok(status),
            Joined::Turn(turn) => turn,
        };
        let settled = match self.load_remembered(id).await? {
            Some(loaded) => {
                let road = Road::Planner { is_from_memory: true };
                self.settle(loaded, turn.events(), Facts::default(), road).await?.status()
            }
            None => None,
        };
        let status = if let Some(status) = settled {
            status
        } else {
            self.memory.forget_head(id);
            let loaded = self.load(id).await?;
            self.settle_read(loaded, turn.events(), Facts::default()).await?
        };
        turn.end(status);
        Ok(status)
    }

    /// Advances an execution that was just created, with facts that may be of use.
    pub(crate) async fn advance_new(
        &self,
        loaded: Loaded,
        facts: Facts,
    ) -> Result<ExecutionStatus, EngineError> {
        let mailbox = self.mailboxes.of(&loaded.start.execution_id);
        let _turn = mailbox.alone().await;
        self.memory.keep_start(&loaded.start);
        self.settle_read(loaded, Vec::new(), facts).await
    }

    /// Settles a state that was just read, as the planner.
    async fn settle_read(
        &self,
        loaded: Loaded,
        events: Vec<Event>,
        facts: Facts,
    ) -> Result<ExecutionStatus, EngineError> {
        let road = Road::Planner { is_from_memory: false };
        let outcome = self.settle(loaded, events, facts, road).await?;
        Ok(outcome.status().expect("the planner settles every state that was just read"))
    }
}
