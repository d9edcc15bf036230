//! A probe: an event that takes the same way as any other through a deployment, but touches no
//! execution.
//!
//! ```text
//! upload PREFIX.sidestep-probe-ID.SUFFIX, or the message {"Probe": {"Id": ID}}
//!   -> trigger: runs/sidestep-probe/ID/Trigger/1/manifest.json -> S3's event
//!   -> planner: runs/sidestep-probe/ID/Planner/1/manifest.json
//! ```
//!
//! The two objects show how far the probe came. They are where trigger and planner may write
//! anyway.

use serde_json::Value;
use sidestep_core::execution::invocation::ManifestKey;
use sidestep_core::name::ExecutionId;
use sidestep_core::uri::S3Uri;
use tracing::info;

use crate::engine::Engine;
use crate::error::EngineError;

/// Stands in place of a pipeline's name in the keys of probes.
const PIPELINE: &str = "sidestep-probe";
/// Precedes the id in the name of a probe's object.
const MARK: &str = ".sidestep-probe-";

/// A function that a probe passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Station {
    Trigger,
    Planner,
}

impl Station {
    fn name(self) -> &'static str {
        match self {
            Self::Trigger => "Trigger",
            Self::Planner => "Planner",
        }
    }
}

/// Returns the key of a probe's object for a trigger with this prefix and suffix.
pub fn probe_key(prefix: &str, id: &ExecutionId, suffix: &str) -> String {
    format!("{prefix}{MARK}{id}{suffix}")
}

/// Returns the id of the probe whose object has this key, or `None` for any other key.
pub(crate) fn probe_of(key: &str) -> Option<ExecutionId> {
    let (_, rest) = key.split_once(MARK)?;
    ExecutionId::parse(rest.get(..12)?).ok()
}

/// Returns true if the manifest belongs to a probe.
pub(crate) fn is_probe(key: &ManifestKey) -> bool {
    let stations = [Station::Trigger, Station::Planner].map(Station::name);
    key.pipeline_name.as_str() == PIPELINE && stations.contains(&key.step_name.as_str())
}

impl Engine {
    /// Returns a fresh id for a probe.
    pub fn new_probe(&self) -> ExecutionId {
        let mut half = [0; 16];
        half.copy_from_slice(&self.clock.random()[..16]);
        ExecutionId::from_bytes(half)
    }

    /// Handles the message of a probe.
    pub(crate) async fn probed(&self, message: &Value) -> Result<Value, EngineError> {
        let id = message["Id"].as_str().and_then(|id| ExecutionId::parse(id).ok());
        if let Some(id) = id {
            self.passed(&id, Station::Trigger).await?;
        } else {
            info!("a probe without an id is ignored");
        }
        Ok(Value::Null)
    }

    /// Notes that a probe has passed a station. Twice: it is noted already.
    pub(crate) async fn passed(
        &self,
        id: &ExecutionId,
        station: Station,
    ) -> Result<(), EngineError> {
        let uri = self.probe_uri(id, station);
        self.objects.create(&uri, "{}".into(), "application/json").await?;
        Ok(())
    }

    /// Notes that a probe has passed the planner, which got the event of its first object.
    pub(crate) async fn probe_heard(&self, key: &ManifestKey) -> Result<(), EngineError> {
        if key.step_name.as_str() == Station::Trigger.name() {
            self.passed(&key.execution_id, Station::Planner).await?;
        }
        Ok(())
    }

    /// Returns true if a probe has passed a station.
    pub async fn has_passed(
        &self,
        id: &ExecutionId,
        station: Station,
    ) -> Result<bool, EngineError> {
        Ok(self.objects.head(&self.probe_uri(id, station)).await?.is_some())
    }

    /// Removes the objects of a probe.
    pub async fn forget_probe(&self, id: &ExecutionId) -> Result<(), EngineError> {
        for station in [Station::Trigger, Station::Planner] {
            self.objects.delete(&self.probe_uri(id, station)).await?;
        }
        Ok(())
    }

    fn probe_uri(&self, id: &ExecutionId, station: Station) -> S3Uri {
        let key = format!("runs/{PIPELINE}/{id}/{}/1/manifest.json", station.name());
        S3Uri::new(self.deployment.artifact_bucket.clone(), key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probes_object_is_told_from_any_other() {
        let id = ExecutionId::parse("abcdefghijkl").expect("legal");
        let key = probe_key("in/", &id, ".csv.gz");
        assert_eq!(key, "in/.sidestep-probe-abcdefghijkl.csv.gz");
        assert_eq!(probe_of(&key), Some(id));
        for other in [
            "in/a.csv.gz",
            ".sidestep-probe-",
            ".sidestep-probe-ABCDEFGHIJKL",
            "x.sidestep-probe-short.c",
        ] {
            assert_eq!(probe_of(other), None, "{other}");
        }
    }
}
