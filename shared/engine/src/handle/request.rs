//! Finds the attempt of an invocation by its request id.
//!
//! The function may be faster than the process that invoked it, so a record can arrive before its
//! id is known. It is looked up a few times at once, and then it goes through the planner's queue
//! with a growing delay. After the last try it is dropped: sidestep did not make the invocation, or
//! its invoker died before it could record it, and then the attempt's lease lapses.

use std::time::Duration;

use serde_json::Value;
use sidestep_core::event::destination::Request;
use sidestep_core::execution::commit::Failure;
use sidestep_core::execution::invocation::{RequestRecord, is_same_function};
use sidestep_core::execution::proof::Proof;
use sidestep_core::plan::{Report, ReportedResult};
use tracing::{info, warn};

use crate::engine::Engine;
use crate::error::EngineError;

/// The pauses between the first looks, in milliseconds: the time that the invoker needs to write.
const PAUSES_MS: [u64; 3] = [5, 20, 80];

/// The delays of later looks, in milliseconds: two minutes in all.
const DELAYS_MS: [u64; 7] = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000];

/// What became of an invocation's end.
pub(super) enum Matched {
    /// It is reported, or nothing is to be done.
    Done,
    /// The record is a dead letter of the planner, with this event.
    Own(Value),
}

impl Engine {
    /// Reports the attempt that an invocation belongs to.
    pub(super) async fn ended_by_request(
        &self,
        request: Request,
        result: Result<Value, Failure>,
    ) -> Result<Matched, EngineError> {
        let (id, function_arn) = (&request.id, &request.function_arn);
        let Some(record) = self.look_up_request(&request).await? else {
            if let Some(event) = request.own_event {
                return Ok(Matched::Own(event));
            }
            self.look_up_later(&request).await?;
            return Ok(Matched::Done);
        };
        if !is_same_function(&record.function_arn, function_arn) {
            warn!(request_id = id, function_arn, "the record of another function is ignored");
            return Ok(Matched::Done);
        }
        let RequestRecord { execution_id, step_name: step, attempt_count, proof: code, .. } =
            record;
        let result = match result {
            Ok(returned) => ReportedResult::Returned(returned),
            Err(failure) => ReportedResult::Failed(failure),
        };
        let proof = Proof::Request { code, id: id.clone() };
        self.reported(&execution_id, Report { step, attempt_count, proof, result }).await?;
        Ok(Matched::Done)
    }

    async fn look_up_request(
        &self,
        request: &Request,
    ) -> Result<Option<RequestRecord>, EngineError> {
        if request.id.is_empty() {
            return Ok(None);
        }
        let mut found = self.executions.request(&request.id).await?;
        // A dead letter is old, and its id is in no table.
        let pauses: &[u64] = if request.own_event.is_some() { &[] } else { &PAUSES_MS };
        for pause_ms in pauses {
            if found.is_some() {
                break;
            }
            self.clock.sleep(Duration::from_millis(*pause_ms)).await;
            found = self.executions.request(&request.id).await?;
        }
        Ok(found)
    }

    async fn look_up_later(&self, request: &Request) -> Result<(), EngineError> {
        let (id, function_arn) = (&request.id, &request.function_arn);
        let Some(delay_ms) = DELAYS_MS.get(request.tries as usize) else {
            warn!(request_id = id, function_arn, "the result of an unknown invocation is ignored");
            return Ok(());
        };
        info!(request_id = id, function_arn, delay_ms, "an invocation is not known yet");
        let now_ms = self.clock.now_ms();
        Ok(self.queues.later(&request.again(), now_ms + delay_ms, now_ms).await?)
    }
}
