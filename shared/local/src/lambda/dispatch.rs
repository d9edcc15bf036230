//! Accepts invocations: checks a request, gives it an id, and runs it now or queues it.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::IgnoredAny;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::attempt;
use super::destination::{self, Condition};
use super::error::InvokeError;
use super::invocation::{
    Invocation, InvocationType, InvokeOutput, InvokeRequest, Job, new_trace_id,
};
use super::limits::{EVENT_PAYLOAD_BYTES, RECORD_PAYLOAD_BYTES, REQUEST_PAYLOAD_BYTES};
use super::lineage;
use super::reference::function_of;
use super::shared::Shared;

impl Shared {
    /// Performs a request, and waits for its outcome if the caller does.
    pub(super) async fn invoke(
        self: &Arc<Self>,
        request: InvokeRequest,
    ) -> Result<InvokeOutput, InvokeError> {
        let output = |request_id: &str, status_code| InvokeOutput {
            request_id: request_id.to_owned(),
            status_code,
            payload: Bytes::new(),
            function_error: None,
            log_tail: String::new(),
        };
        match request.invocation_type {
            InvocationType::DryRun => {
                let invocation = self.accept(request, REQUEST_PAYLOAD_BYTES)?;
                Ok(output(&invocation.request_id, 204))
            }
            InvocationType::Event => Ok(output(&self.accept_event(request)?, 202)),
            InvocationType::RequestResponse => {
                let invocation = self.accept(request, REQUEST_PAYLOAD_BYTES)?;
                if invocation.is_recursive() {
                    self.metrics.update(|counts| counts.recursive_invocations_dropped += 1);
                    let function = invocation.function.config.name.clone();
                    let visits = invocation.visits - 1;
                    return Err(InvokeError::RecursiveInvocation { function, visits });
                }
                let admitted = self.scheduler.admit(&invocation.function);
                admitted.inspect_err(|error| self.count_throttle(error))?;
                let (waiting, outcome) = oneshot::channel();
                let job =
                    Job { invocation: invocation.clone(), attempt: 1, waiting: Some(waiting) };
                tokio::spawn(attempt::run(self.clone(), job));
                let outcome = outcome.await.map_err(|_| InvokeError::ShuttingDown)?;
                let (payload, function_error) = match outcome.result {
                    Ok(payload) => (payload, None),
                    Err(failure) => (failure.payload, Some("Unhandled")),
                };
                let log_tail = outcome.log_tail;
                Ok(InvokeOutput {
                    payload,
                    function_error,
                    log_tail,
                    ..output(&invocation.request_id, 200)
                })
            }
        }
    }

    /// Queues an event and returns its request id.
    pub(super) fn accept_event(
        self: &Arc<Self>,
        request: InvokeRequest,
    ) -> Result<Arc<str>, InvokeError> {
        self.enqueue(request, EVENT_PAYLOAD_BYTES)
    }

    /// Queues the record of another invocation.
    ///
    /// It may hold an event of the largest size together with the result.
    pub(super) fn accept_record(
        self: &Arc<Self>,
        request: InvokeRequest,
    ) -> Result<Arc<str>, InvokeError> {
        self.enqueue(request, RECORD_PAYLOAD_BYTES)
    }

    fn enqueue(
        self: &Arc<Self>,
        request: InvokeRequest,
        limit: usize,
    ) -> Result<Arc<str>, InvokeError> {
        let invocation = self.accept(request, limit)?;
        let request_id = invocation.request_id.clone();
        if invocation.is_recursive() {
            self.drop_recursive(&invocation);
            return Ok(request_id);
        }
        let job = Job { invocation, attempt: 1, waiting: None };
        self.scheduler.enqueue(job).inspect_err(|error| self.count_throttle(error))?;
        self.dispatch();
        Ok(request_id)
    }

    /// Drops an event that is in a recursive loop.
    ///
    /// As on Lambda the sender is told nothing, and the function's destination for failures gets
    /// the record.
    fn drop_recursive(self: &Arc<Self>, invocation: &Invocation) {
        self.metrics.update(|counts| counts.recursive_invocations_dropped += 1);
        let function = &invocation.function.config.name;
        tracing::warn!(%function, visits = invocation.visits, "an event is dropped: recursive loop");
        let condition = Condition::RetriesExhausted;
        let record = destination::record(invocation, condition, 0, None);
        destination::deliver(self, invocation, record, condition);
    }

    /// Checks a request and gives it an id.
    fn accept(&self, request: InvokeRequest, limit: usize) -> Result<Arc<Invocation>, InvokeError> {
        let name = function_of(&request.function);
        let not_found = || InvokeError::FunctionNotFound { function: request.function.clone() };
        let function =
            name.and_then(|named| self.scheduler.function(&named)).ok_or_else(not_found)?;
        let actual = request.payload.len();
        if actual > limit {
            return Err(InvokeError::RequestTooLarge { limit, actual });
        }
        let payload = match request.payload {
            payload if payload.is_empty() => Bytes::from_static(b"{}"),
            payload => payload,
        };
        serde_json::from_slice::<IgnoredAny>(&payload)
            .map_err(|source| InvokeError::InvalidRequestContent { source })?;
        let caller = request.trace_id.unwrap_or_else(new_trace_id);
        let (trace_id, visits) = lineage::visit(&caller, &function.arn);
        Ok(Arc::new(Invocation {
            request_id: Uuid::new_v4().to_string().into(),
            function,
            payload,
            client_context: request.client_context,
            trace_id,
            attempt: request.attempt,
            visits,
            accepted_at: Instant::now(),
        }))
    }

    /// Starts every queued event that may run now.
    pub(super) fn dispatch(self: &Arc<Self>) {
        while let Some(job) = self.scheduler.next() {
            tokio::spawn(attempt::run(self.clone(), job));
        }
    }

    /// Counts a request that was refused for want of concurrency or queue space.
    fn count_throttle(&self, error: &InvokeError) {
        if matches!(error, InvokeError::TooManyRequests { .. }) {
            self.metrics.update(|counts| counts.throttles += 1);
        }
    }
}
