//! Every decision about what happens next: events and state in, one commit and its effects out.
//!
//! [`plan()`] is pure. It folds the events into a draft, then walks the steps once in topological
//! order, so that a whole cascade of cached, skipped and condition steps is settled in one call:
//! each step sees what was just decided about those before it. A step that lacks a fact is left for
//! the next call, and the fact is named in [`Plan::needs`].
//!
//! To find a decision, follow [`plan()`]: reports are judged in [`report`], lost attempts and
//! time-outs in `attempt`, stops and retries in [`control`]. A waiting step goes through
//! `readiness` (may it start), `step` (its `When` and its type) and [`cache`] (does a cached result
//! stand in); one that is not selected through `reuse`.

mod attempt;
mod baseline;
pub mod cache;
pub mod change;
mod claimed_keys;
mod content_digest;
pub mod control;
pub(crate) mod draft;
pub mod effect;
pub mod event;
pub mod facts;
pub mod handoff;
pub mod head;
mod job;
mod job_key;
mod key_parts;
pub mod late_report;
pub mod lease;
mod readiness;
pub mod redact;
pub mod repair;
mod report;
pub(crate) mod resolver;
mod result_check;
pub mod retry;
mod reuse;
mod run_condition;
mod step;
mod witness;
pub(crate) mod work;

use crate::definition::Pipeline;
use crate::execution::Execution;
use crate::execution::phase::Phase;
use crate::execution::start::Start;
use crate::plan::control::check_retry;
use crate::plan::draft::Draft;
use crate::plan::facts::Facts;
use crate::plan::resolver::{Pending, Planned};

pub use crate::plan::effect::{CallbackRecord, Discarded, Effect, Plan, Publication};
pub use crate::plan::event::{Event, Report, ReportedResult};

/// Decides what follows from `events` in `execution`. `pipeline` is the definition that `start`
/// names.
pub fn plan(
    pipeline: &Pipeline,
    start: &Start,
    execution: &Execution,
    events: &[Event],
    facts: &Facts,
) -> Plan {
    let mut draft = Draft::new(pipeline, start, execution, facts);
    let is_retry = events.contains(&Event::RetryRequested);
    if is_retry && check_retry(start, pipeline, execution).is_ok() {
        draft.retry();
    } else if execution.status.is_over() {
        draft.discard_reports(events);
        draft.plan.taken = events.len();
        return draft.into_plan();
    }
    for event in events {
        if draft.is_full() {
            draft.plan.is_partial = true;
            return draft.into_plan();
        }
        draft.plan.taken += 1;
        // An event that is pending has named its facts; the others may need more.
        let (Ok(()) | Err(Pending)) = draft.take_in(event);
        if draft.has_deferred_result {
            draft.plan.taken -= 1;
            draft.plan.is_partial = true;
            return draft.into_plan();
        }
    }
    // Nothing starts in an execution that stops, or while this process cannot invoke its functions.
    if !draft.is_stopping && !facts.is_held {
        draft.retry_due();
        draft.decide_waiting();
    }
    draft.finish();
    draft.into_plan()
}

impl Draft<'_> {
    fn take_in(&mut self, event: &Event) -> Planned<()> {
        match event {
            Event::Reported(report) => self.report(report)?,
            Event::AttemptLost { step, last_attempt } => self.attempt_lost(step, *last_attempt)?,
            Event::StopRequested => self.stop(),
            Event::Woken => self.time_out(),
            // It was taken in before all others.
            Event::RetryRequested => {}
        }
        Ok(())
    }

    /// Decides about the waiting steps, those that others depend on first.
    fn decide_waiting(&mut self) {
        for step in &self.pipeline.topological_order {
            if self.is_full() {
                self.plan.is_partial = true;
                return;
            }
            if self.states[step.0].phase == Phase::Waiting {
                let (Ok(()) | Err(Pending)) = match &self.start.selection {
                    Some(selection) if !selection.selected.contains(step) => {
                        self.reuse_unselected(*step, selection)
                    }
                    _ => self.decide_step(*step),
                };
            }
        }
        self.plan.is_partial |= self.has_deferred_result;
    }
}
