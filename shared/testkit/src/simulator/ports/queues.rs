//! The queues, behind faults.

use async_trait::async_trait;
use serde_json::Value;
use sidestep_engine::ports::queues::{QueueError, Queues};

use super::super::workload;
use super::{Fault, Faulty, injected};

#[async_trait]
impl Queues for Faulty {
    async fn send(&self, queue_url: &str, body: &Value) -> Result<(), QueueError> {
        let call = || async { workload::send(&self.world, queue_url, body) };
        effect!(&self.world.sim, "send", call(), unsent(queue_url))
    }

    async fn later(&self, event: &Value, at_ms: u64, now_ms: u64) -> Result<(), QueueError> {
        let call = async || {
            self.world.later(event, at_ms, now_ms);
            Ok(())
        };
        effect!(&self.world.sim, "wake", call(), unsent("timers"))
    }

    async fn report(&self, event: &Value) -> Result<bool, QueueError> {
        let call = async || {
            if self.world.has_reports {
                self.world.note("result left to the planner");
                self.world.deliver(0, event);
            }
            Ok(self.world.has_reports)
        };
        effect!(&self.world.sim, "report", call(), unsent("reports"))
    }
}

fn unsent(queue_url: &str) -> QueueError {
    QueueError::Unavailable { queue_url: queue_url.to_owned(), source: injected() }
}
