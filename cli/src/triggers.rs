//! The uploads that start a project's pipelines on the embedded cloud.

use std::collections::BTreeMap;

use sidestep_core::event::trigger::Trigger;
use sidestep_core::parse::parse;
use sidestep_engine::error::EngineError;
use sidestep_engine::memory::definitions::Definition;

use crate::output::error::CommandError;
use crate::project::Project;

/// A trigger whose definition is not registered yet.
#[derive(Debug, Clone)]
pub(crate) struct TriggerSource {
    pub(crate) trigger: Trigger,
    pub(crate) definition: Definition,
}

/// Reads the definitions of all pipelines that have triggers, and returns the triggers.
pub(crate) fn triggers(
    project: &Project,
    unavailable: &BTreeMap<String, String>,
) -> Result<Vec<TriggerSource>, CommandError> {
    let mut sources = Vec::new();
    for (name, settings) in &project.settings.pipelines {
        if settings.triggers.is_empty() {
            continue;
        }
        let source = project.pipeline(name)?;
        let definition = source.read()?;
        let parsed = parse(definition.text.as_bytes(), definition.format)
            .map_err(EngineError::Definition)?;
        // The embedded cloud has no scheduler.
        for trigger in settings.triggers.iter().filter(|trigger| trigger.schedule.is_none()) {
            let trigger = Trigger {
                pipeline_name: source.name.clone(),
                definition_digest: definition.digest(),
                definition_format: definition.format,
                bucket: trigger.bucket.clone(),
                prefix: trigger.prefix.clone(),
                suffix: trigger.suffix.clone(),
                parameters: trigger.parameters.clone(),
                batch_seconds: trigger.batch_seconds,
                left_out: parsed.pipeline.left_out(unavailable),
            };
            sources.push(TriggerSource { trigger, definition: definition.clone() });
        }
    }
    Ok(sources)
}
