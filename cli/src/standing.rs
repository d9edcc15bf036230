//! Which executions a process of this machine drives now, and for how long none did.

use std::collections::BTreeSet;

use sidestep_core::definition::StepType;
use sidestep_core::name::ExecutionId;
use sidestep_core::view::description::ExecutionDescription;

use crate::drives::Drives;
use crate::output::error::CommandError;
use crate::published::Published;
use crate::session::Session;
use crate::session::ticket::tickets;

/// What drives executions.
#[derive(Debug)]
enum Driver {
    /// AWS, or a `sidestep up`: every execution is driven.
    All,
    /// Commands that run executions: these are driven.
    Some(BTreeSet<ExecutionId>),
}

/// What is known on this machine of how executions are driven.
#[derive(Debug)]
pub(crate) struct Standing {
    driver: Driver,
    drives: Drives,
}

impl Standing {
    /// Reads what the processes that use the session's state folder have recorded.
    pub(crate) fn read(session: &Session) -> Result<Self, CommandError> {
        if session.endpoints.is_none() {
            return Ok(Self { driver: Driver::All, drives: Drives::default() });
        }
        let drives = Drives::read(&session.state);
        let published = Published::read(&session.state)?;
        let mut driven = match published.map(|published| published.run) {
            Some(None) => return Ok(Self { driver: Driver::All, drives }),
            Some(Some(run)) => run.driven,
            None => BTreeSet::new(),
        };
        // One of their commands is about to become the owner, if there is none.
        let joined = tickets(&session.state).into_values().filter_map(|join| join.execution);
        driven.extend(joined);
        Ok(Self { driver: Driver::Some(driven), drives })
    }

    /// Returns true if a process drives the execution, unless it has ended.
    pub(crate) fn is_driven(&self, id: &ExecutionId) -> bool {
        match &self.driver {
            Driver::All => true,
            Driver::Some(driven) => driven.contains(id),
        }
    }

    /// Adds to a description whether and for how long no process drove the execution.
    pub(crate) fn add_to(&self, id: &ExecutionId, description: &mut ExecutionDescription) {
        let is_over = description.end_time.is_some();
        description.interrupted = !is_over && !self.is_driven(id);
        let (from_ms, to_ms) = (description.started_at_ms, description.until_ms);
        let undriven_ms = self.drives.undriven_ms(id, from_ms, to_ms);
        description.summary.interrupted_ms = undriven_ms;
        let driven_ms = description.summary.duration_ms.saturating_sub(undriven_ms);
        description.summary.duration_ms = driven_ms;
        for step in &mut description.steps {
            let Some((from_ms, to_ms)) = step.started_at_ms.zip(step.ended_at_ms) else { continue };
            step.interrupted_ms = self.drives.undriven_ms(id, from_ms, to_ms);
            if step.step_type == StepType::Callback {
                let waited_ms = step.duration_ms.map(|ms| ms.saturating_sub(step.interrupted_ms));
                step.duration_ms = waited_ms;
            }
        }
    }
}
