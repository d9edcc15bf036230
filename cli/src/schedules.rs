//! The schedules of `sidestep up` and `serve`: what EventBridge Scheduler does on AWS.
//!
//! A time that passes while no `up` runs starts nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sidestep_core::event::schedule::Schedule;
use sidestep_core::event::trigger::Trigger;
use sidestep_core::view::description::timestamp;
use sidestep_engine::engine::Engine;
use sidestep_engine::error::{EngineError, error_chain};
use sidestep_engine::handle::sqs_batch::Consumer;
use tokio::task::AbortHandle;

use crate::output::error::CommandError;

/// How long the clock and the schedules are trusted: the machine may sleep, and the project's file
/// may be edited.
const LOOK: Duration = Duration::from_secs(10);

/// Ends the schedules when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticking(AbortHandle);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Says when each schedule starts its pipeline next, and starts it then.
pub(crate) async fn start(engine: &Arc<Engine>) -> Result<Ticking, CommandError> {
    let now_ms = engine.now_ms();
    for trigger in engine.schedules().await? {
        let next = Schedule::parse(&trigger.suffix).ok().and_then(|it| it.next(now_ms));
        let when =
            next.map_or_else(|| "it is over".to_owned(), |at| format!("next {}", second(at)));
        eprintln!("schedule {} of {}: {when}", trigger.suffix, trigger.pipeline_name);
    }
    let task = tokio::spawn(tick(Arc::clone(engine), now_ms));
    Ok(Ticking(task.abort_handle()))
}

/// Starts pipelines at the times of their schedules, from a time on.
async fn tick(engine: Arc<Engine>, mut seen_ms: u64) {
    loop {
        let wait = match ticked(&engine, &mut seen_ms).await {
            Ok(wait) => wait,
            Err(error) => {
                eprintln!("note: schedules wait for the table: {}", error_chain(&error));
                LOOK
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Starts what has become due since `seen_ms`, and returns how long nothing else is.
async fn ticked(engine: &Engine, seen_ms: &mut u64) -> Result<Duration, EngineError> {
    let now_ms = engine.now_ms();
    let mut wait = LOOK;
    for trigger in engine.schedules().await? {
        let Ok(schedule) = Schedule::parse(&trigger.suffix) else { continue };
        // Of several times that were slept through, the last one counts.
        let mut due = None;
        let mut next = schedule.next(*seen_ms);
        while let Some(at) = next.filter(|at| *at <= now_ms) {
            due = Some(at);
            next = schedule.next(at);
        }
        if let Some(at) = due {
            fire(engine, &trigger, at).await?;
        }
        if let Some(at) = next {
            wait = wait.min(Duration::from_millis(at - now_ms));
        }
    }
    *seen_ms = now_ms;
    Ok(wait)
}

/// Sends the message of a schedule. The engine starts one execution for each time.
async fn fire(engine: &Engine, trigger: &Trigger, at_ms: u64) -> Result<(), EngineError> {
    let message = json!({ "Schedule": {
        "PipelineName": trigger.pipeline_name,
        "Number": trigger.prefix.parse().unwrap_or(0_usize),
        "Time": second(at_ms),
    }});
    let answer = engine.consume(Consumer::Trigger, message).await?;
    if answer["Started"].as_array().is_none_or(Vec::is_empty) {
        let (expression, pipeline) = (&trigger.suffix, &trigger.pipeline_name);
        eprintln!(
            "error: schedule {expression} of {pipeline} at {} started nothing",
            second(at_ms)
        );
    }
    Ok(())
}

/// Returns a time as Scheduler gives it: `2026-11-23T06:00:00Z`.
fn second(at_ms: u64) -> String {
    let text = timestamp(at_ms);
    text.split_once('.').map_or_else(|| text.clone(), |(head, _)| format!("{head}Z"))
}
