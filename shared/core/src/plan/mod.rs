//! What happens next: events and state in, one commit and its effects out.
//!
//! `plan()` is pure. It folds the events into a draft, then walks the steps once in topological order, so that a whole cascade of
//! cached, skipped and condition steps is settled in one call: each step sees what was just decided about those before it. A step that
//! lacks a fact is left for the next call and the fact is named in [`Plan::needs`].

mod attempt;
pub mod cache;
pub mod control;
pub(crate) mod draft;
pub mod effect;
pub mod event;
pub mod facts;
pub mod handoff;
pub mod head;
pub mod late_report;
pub mod lease;
mod readiness;
pub mod redact;
pub mod repair;
pub mod report;
pub(crate) mod resolver;
pub mod retry;
pub(crate) mod reuse;
pub(crate) mod step;

use crate::definition::Pipeline;
use crate::execution::Execution;
use crate::execution::phase::Phase;
use crate::execution::start::Start;
use crate::limits::COMMIT_BYTES;
use crate::plan::control::check_retry;
use crate::plan::draft::Draft;
use crate::plan::facts::Facts;

pub use crate::plan::effect::{CallbackRecord, Discarded, Effect, Plan, Publication};
pub use crate::plan::event::{Event, Report, ReportedResult};

/// Plans `events` over `execution`. `pipeline` is the definition that `start` names.
pub fn plan(
    pipeline: &Pipeline,
    start: &Start,
    execution: &Execution,
    events: &[Event],
    facts: &Facts,
) -> Plan {
    let mut draft = Draft::new(pipeline, start, execution, facts);
    if events.contains(&Event::RetryRequested) && check_retry(pipeline, execution).is_ok() {
        draft.retry();
    } else if execution.status.is_over() {
        draft.discard_all(events);
        draft.plan.taken = events.len();
        return draft.plan;
    }
    for event in events {
        if draft.bytes > COMMIT_BYTES {
            draft.plan.is_partial = true;
            return draft.masked();
        }
        draft.plan.taken += 1;
        match event {
            Event::Reported(report) => draft.report(report),
            Event::AttemptLost { step, last_attempt } => draft.attempt_lost(step, *last_attempt),
            Event::StopRequested => draft.stop(),
            Event::Woken => draft.time_out(),
            Event::RetryRequested => {}
        }
        if draft.is_full {
            draft.plan.taken -= 1;
            draft.plan.is_partial = true;
            return draft.masked();
        }
    }
    if draft.is_stopping || facts.is_held {
        draft.finish();
        return draft.masked();
    }
    draft.retry_due();
    for index in &pipeline.topological_order {
        if draft.is_full || draft.bytes > COMMIT_BYTES {
            draft.plan.is_partial = true;
            break;
        }
        if draft.states[index.0].phase == Phase::Waiting {
            match &start.selection {
                Some(selection) if !selection.selected.contains(index) => {
                    draft.reuse_unselected(*index, selection);
                }
                _ => draft.decide(*index),
            }
        }
    }
    draft.plan.is_partial |= draft.is_full;
    draft.finish();
    draft.masked()
}
