//! Counts what an execution asks of the services, on the embedded cloud, where all of it can be
//! seen.

use std::collections::BTreeMap;
use std::time::Duration;

use sidestep_aws::counter::Counter;
use sidestep_core::view::cost::Cost;
use sidestep_core::view::description::ExecutionDescription;
use sidestep_core::view::price::{Usage, service};
use sidestep_local::cloud::Cloud;
use sidestep_local::lambda::Load;

use crate::session::STARTER;

/// How long functions may take to report what they asked for after the execution has ended.
const LATE: Duration = Duration::from_secs(5);

/// Counts requests from its creation on.
#[derive(Debug)]
pub(crate) struct Meter {
    counter: Counter,
    /// S3 counts its requests itself, so that those of the functions are included.
    s3_before: BTreeMap<String, u64>,
}

impl Meter {
    /// Begins to count.
    pub(crate) fn begin(counter: Counter, cloud: &Cloud) -> Self {
        counter.take();
        Self { counter, s3_before: cloud.s3().counts() }
    }

    /// Waits until no function runs, and returns the counts as a cost.
    pub(crate) async fn read(self, cloud: &Cloud, description: &ExecutionDescription) -> Cost {
        let s3_after = cloud.s3().counts();
        let idle = async {
            let busy = |load: Load| load.running + load.queued > 0;
            while busy(cloud.lambda().load()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(LATE, idle).await.is_err() {
            eprintln!("note: some functions are still running, and their requests are not counted");
        }
        let mut callers = self.counter.take();
        let mut start = callers.remove(STARTER).unwrap_or_default();
        let mut rest = Usage::default();
        for usage in callers.values() {
            rest.add(usage);
        }
        for usage in [&mut start, &mut rest] {
            usage.requests.remove(service::S3);
        }
        for (operation, count) in s3_after {
            let more = count - self.s3_before.get(&operation).copied().unwrap_or_default();
            rest.add_requests(service::S3, &operation, more);
        }
        Cost::of(&start, &rest, description.steps.len(), &description.summary)
    }
}
