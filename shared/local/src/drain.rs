//! Leaves a state folder to another process.

use std::time::Duration;

use crate::cloud::Cloud;

/// How long the events of the last results may take to be handled.
const LAST_RESULTS: Duration = Duration::from_secs(10);

impl Cloud {
    /// Lets running functions finish and takes their results, and begins no others: another process
    /// continues the executions.
    pub async fn drain(&self) {
        self.lambda().drain().await;
        self.drained(LAST_RESULTS).await;
        // The last results may have been reports to the planner.
        self.lambda().drain().await;
    }
}
