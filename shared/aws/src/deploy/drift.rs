//! Drift: resources that were changed by hand since the template was applied.

use aws_sdk_cloudformation::types::{StackDriftDetectionStatus, StackResourceDriftStatus};

use super::error::{DeployError, code, service};
use super::stack::Stacks;

/// A resource that is no longer as the template made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drifted {
    pub logical_id: String,
    /// `MODIFIED` or `DELETED`.
    pub status: String,
}

impl Stacks {
    /// Returns the resources that drifted, or `None` if the endpoint cannot tell.
    pub async fn drift(&self, name: &str) -> Result<Option<Vec<Drifted>>, DeployError> {
        let detection = match self.client.detect_stack_drift().stack_name(name).send().await {
            Err(error) if matches!(code(&error), Some("InvalidAction" | "UnknownOperation")) => {
                return Ok(None);
            }
            detected => detected.map_err(service("look for drift of stack", name))?,
        };
        let id = detection.stack_drift_detection_id().unwrap_or_default();
        loop {
            let describe = self.client.describe_stack_drift_detection_status();
            let described = describe.stack_drift_detection_id(id).send().await;
            let state = described.map_err(service("look for drift of stack", name))?;
            match state.detection_status() {
                Some(StackDriftDetectionStatus::DetectionInProgress) => {
                    tokio::time::sleep(self.poll).await;
                }
                // It may have failed for some resources. The others that drifted are listed.
                _ => break,
            }
        }
        let describe = self
            .client
            .describe_stack_resource_drifts()
            .stack_name(name)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Modified)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted);
        let described = describe.send().await.map_err(service("read drift of stack", name))?;
        let drifts = described.stack_resource_drifts().iter().map(|drift| Drifted {
            logical_id: drift.logical_resource_id().unwrap_or_default().to_owned(),
            status: drift
                .stack_resource_drift_status()
                .map(|status| status.as_str().to_owned())
                .unwrap_or_default(),
        });
        Ok(Some(drifts.collect()))
    }
}
