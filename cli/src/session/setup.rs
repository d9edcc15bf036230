//! What every session sets up alike.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sidestep_core::event::trigger::Trigger;
use sidestep_engine::engine::Engine;
use sidestep_engine::options::EngineOptions;
use sidestep_local::event_log::EventLog;

use crate::output::error::CommandError;
use crate::triggers::TriggerSource;

/// Returns the options of an engine that writes down what changes in its executions.
pub(super) fn watched(state: &Path) -> EngineOptions {
    EngineOptions {
        watcher: Some(Arc::new(EventLog::new(state))),
        // A write costs nothing here.
        touch_after: Duration::from_secs(1),
        ..EngineOptions::default()
    }
}

/// Stores the definitions of triggers, and returns the triggers with their digests.
pub(super) async fn register_all(
    engine: &Engine,
    sources: &[TriggerSource],
) -> Result<Vec<Trigger>, CommandError> {
    let mut registered = Vec::new();
    for source in sources {
        let mut trigger = source.trigger.clone();
        trigger.definition_digest = engine.register(&source.definition).await?;
        registered.push(trigger);
    }
    Ok(registered)
}
