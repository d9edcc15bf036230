//! Starts executions at set times, once per time of a schedule, however often its message arrives.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use sidestep_core::event::trigger::Trigger;
use sidestep_core::name::PipelineName;
use tracing::info;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::handle::trigger::Triggered;

/// The bucket under which schedules are registered as triggers. No bucket can have this name. The
/// prefix of such a trigger is the schedule's number.
pub const SCHEDULES: &str = "@schedule";
/// Stands for the schedule's time in a parameter's value, such as `2026-11-23T06:00:00Z`.
pub const TIME: &str = "$.time";

/// The message of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tick {
    pipeline_name: PipelineName,
    /// The position among the pipeline's schedules, from 0.
    number: usize,
    time: String,
}

impl Tick {
    fn is_of(&self, trigger: &Trigger) -> bool {
        trigger.pipeline_name == self.pipeline_name && trigger.prefix == self.number.to_string()
    }

    fn parameters(&self, trigger: &Trigger) -> BTreeMap<String, String> {
        let value = |text: &String| if text == TIME { self.time.clone() } else { text.clone() };
        trigger.parameters.iter().map(|(name, text)| (name.clone(), value(text))).collect()
    }
}

impl Engine {
    /// Returns the registered schedules. On the embedded cloud the suffix of each is its
    /// expression.
    pub async fn schedules(&self) -> Result<Vec<Trigger>, EngineError> {
        Ok(self.triggers.triggers(SCHEDULES).await?)
    }

    /// Handles the message of a schedule. If its pipeline cannot be started, an execution says so,
    /// as for uploads.
    pub(crate) async fn scheduled(&self, message: &Value) -> Result<Value, EngineError> {
        let Ok(tick) = Tick::deserialize(message) else {
            info!("the message of a schedule cannot be read and is ignored");
            return Ok(json!({ "Started": [] }));
        };
        let stale = self.refresh().await?;
        let triggers = self.triggers.triggers(SCHEDULES).await?;
        let Some(trigger) = triggers.iter().find(|trigger| tick.is_of(trigger)) else {
            info!(pipeline_name = %tick.pipeline_name, "the schedule is not registered");
            return Ok(json!({ "Started": [] }));
        };
        let origin = format!("schedule at {}", tick.time);
        let parameters = tick.parameters(trigger);
        let token = format!("{SCHEDULES}\0{}\0{}", tick.number, tick.time);
        let origin = (origin, token);
        let started =
            self.start_triggered(trigger, parameters, origin, None, stale.as_deref()).await?;
        Ok(match started {
            Triggered::Started(id) => json!({ "Started": [id], "Refused": [] }),
            Triggered::Refused(id) => json!({ "Started": [], "Refused": [id] }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidestep_core::parse::Format;

    #[test]
    fn a_schedule_finds_its_trigger_and_gives_it_the_time() {
        let tick = Tick::deserialize(&json!({
            "PipelineName": "flights", "Number": 1, "Time": "2026-11-23T06:00:00Z"
        }))
        .expect("a tick");
        let trigger = |name: &str, number: &str| Trigger {
            pipeline_name: PipelineName::parse(name).expect("legal"),
            definition_digest: String::new(),
            definition_format: Format::Json,
            bucket: SCHEDULES.to_owned(),
            prefix: number.to_owned(),
            suffix: String::new(),
            parameters: [("At", TIME), ("Stage", "beta")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            batch_seconds: None,
            left_out: BTreeMap::new(),
        };
        assert!(!tick.is_of(&trigger("flights", "0")) && !tick.is_of(&trigger("other", "1")));
        let trigger = trigger("flights", "1");
        assert!(tick.is_of(&trigger));
        let parameters = tick.parameters(&trigger);
        assert_eq!(parameters["At"], "2026-11-23T06:00:00Z");
        assert_eq!(parameters["Stage"], "beta");
    }
}
