//! The planner and the trigger as functions of this process.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use sidestep_aws::Consumer;
use sidestep_aws::counter::Counter;
use sidestep_core::execution::invocation::{RESERVED_KEY, USAGE};
use sidestep_core::failure::FailureType;
use sidestep_core::view::price::{Usage, service};
use sidestep_engine::engine::Engine;
use sidestep_engine::error::{EngineError, error_chain};
use sidestep_engine::ports::disk_full::DiskFull;
use tokio::sync::watch;

use crate::cloud::{EventHandler, PlannerFailure};
use crate::events::BoxError;
use crate::guard::{Caller, as_caller};
use crate::lambda::{FunctionError, Handler, InvocationMeta};

/// The planner or the trigger on an engine of this process.
///
/// S3's events reach it without a queue between, and invocations through the Lambda host.
pub(super) struct InProcessFunction {
    pub(super) engine: Arc<Engine>,
    pub(super) consumer: Consumer,
    /// Told when a store failed the planner.
    pub(super) failed: watch::Sender<Option<PlannerFailure>>,
    /// Gets the requests that steps report and that deliveries to the planner cost.
    pub(super) counter: Option<Counter>,
}

impl InProcessFunction {
    async fn consume(&self, event: Value) -> Result<Value, EngineError> {
        // The role of the job function is not in the guard: its requests go unchecked.
        if matches!(self.consumer, Consumer::Job) {
            return self.engine.consume(Consumer::Job, event).await;
        }
        if matches!(self.consumer, Consumer::Trigger) {
            let consumed = Box::pin(self.engine.consume(Consumer::Trigger, event));
            return as_caller(Caller::Trigger, consumed).await;
        }
        if let Some(counter) = &self.counter {
            let usage = event["responsePayload"][RESERVED_KEY][USAGE].clone();
            if let Ok(usage) = serde_json::from_value(usage) {
                counter.add(&usage);
            }
            if event["Records"][0]["eventSource"] == "aws:sqs" {
                counter.for_caller("queue").add(&delivery_usage());
            }
        }
        let consumed = Box::pin(self.engine.consume(Consumer::Planner, event));
        let result = as_caller(Caller::Planner, consumed).await;
        // Other errors are about one event, which may not even belong to the execution that the
        // user is waiting for.
        if let Err(error @ (EngineError::Table(_) | EngineError::Store(_))) = &result {
            let failure = PlannerFailure {
                causes: error_chain(error),
                is_disk_full: DiskFull::is_cause_of(error),
            };
            self.failed.send_replace(Some(failure));
        }
        result
    }
}

/// Returns the requests that it takes to deliver one batch of a queue.
///
/// Lambda makes them, and the queue's owner pays.
fn delivery_usage() -> Usage {
    let mut usage = Usage::default();
    usage.add_requests(service::SQS, "ReceiveMessage", 1);
    usage.add_requests(service::SQS, "DeleteMessageBatch", 1);
    usage.add_requests(service::LAMBDA, "Invoke", 1);
    usage
}

#[async_trait]
impl EventHandler for InProcessFunction {
    async fn handle(&self, event: Value) -> Result<(), BoxError> {
        Ok(self.consume(event).await.map(drop)?)
    }
}

#[async_trait]
impl Handler for InProcessFunction {
    async fn handle(&self, event: Value, _: InvocationMeta) -> Result<Value, FunctionError> {
        let failed =
            |error: EngineError| FunctionError::new(FailureType::Engine, error_chain(&error));
        self.consume(event).await.map_err(failed)
    }
}
