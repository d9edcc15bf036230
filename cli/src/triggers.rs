//! The uploads and schedules that start a project's pipelines on the embedded cloud.

use std::collections::BTreeMap;

use serde_json::Value;
use sidestep_core::event::trigger::Trigger;
use sidestep_core::name::ParameterName;
use sidestep_core::parse::parse;
use sidestep_engine::error::EngineError;
use sidestep_engine::handle::schedule::SCHEDULES;
use sidestep_engine::memory::definitions::Definition;

use crate::output::error::CommandError;
use crate::project::Project;

/// A trigger whose definition is not registered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TriggerSource {
    pub(crate) trigger: Trigger,
    pub(crate) definition: Definition,
}

impl TriggerSource {
    /// Returns the parameters whose values are known before an upload.
    pub(crate) fn values(&self) -> BTreeMap<ParameterName, Value> {
        let known = self.trigger.parameters.iter().filter(|(_, text)| !text.starts_with("$."));
        known
            .filter_map(|(name, text)| {
                Some((ParameterName::parse(name).ok()?, Value::from(text.clone())))
            })
            .collect()
    }
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
        let mut schedules = 0;
        for trigger in &settings.triggers {
            // A schedule is numbered as on AWS, and keeps its expression in place of a suffix.
            let (bucket, prefix, suffix) = match &trigger.schedule {
                Some(expression) => {
                    schedules += 1;
                    (SCHEDULES.to_owned(), (schedules - 1).to_string(), expression.clone())
                }
                None => (trigger.bucket.clone(), trigger.prefix.clone(), trigger.suffix.clone()),
            };
            let trigger = Trigger {
                pipeline_name: source.name.clone(),
                definition_digest: definition.digest(),
                definition_format: definition.format,
                bucket,
                prefix,
                suffix,
                parameters: trigger.parameters.clone(),
                batch_seconds: trigger.batch_seconds,
                left_out: parsed.pipeline.left_out(unavailable),
            };
            sources.push(TriggerSource { trigger, definition: definition.clone() });
        }
    }
    Ok(sources)
}
