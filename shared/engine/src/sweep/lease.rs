//! Finds out about silent attempts: whether one still runs, and for a step with `ExactlyOnceStart`,
//! whether it has begun.

use bytes::Bytes;
use serde_json::Value;
use sidestep_core::definition::{StepIndex, StepKind};
use sidestep_core::execution::commit::{Claim, Failure};
use sidestep_core::execution::invocation::{Invocation, RESERVED_KEY};
use sidestep_core::failure::FailureType;
use sidestep_core::limits::OUTPUT_BYTES;
use sidestep_core::plan::lease::{
    STARTED_NAME, can_be_renewed, fence, is_fence, is_lapsed, renewals, renewed_until,
};
use sidestep_core::uri::S3Uri;
use tracing::warn;

use crate::engine::Engine;
use crate::error::{EngineError, error_chain};
use crate::loaded::Loaded;
use crate::ports::objects::{Created, StoreError};

/// Renewals of one attempt, at most: Lambda ends a function after 15 minutes.
const RENEWALS: usize = 1_000;

impl Engine {
    /// Returns true if an attempt's lease has lapsed, including the renewals by its handler.
    pub(crate) async fn is_lapsed(
        &self,
        loaded: &Loaded,
        step: StepIndex,
        claim: &Claim,
    ) -> Result<bool, EngineError> {
        let now_ms = self.clock.now_ms();
        if !is_lapsed(claim, None, now_ms) {
            return Ok(false);
        }
        let step = loaded.pipeline.step(step);
        if !can_be_renewed(&loaded.start, step) {
            return Ok(true);
        }
        let prefix = loaded.start.attempt_prefix(&step.name, claim.attempt_count);
        let listed = self.objects.list(&renewals(&prefix), RENEWALS).await?;
        let until_ms = renewed_until(listed.iter().map(|(key, _)| key.as_str()));
        Ok(is_lapsed(claim, until_ms, now_ms))
    }

    /// Makes sure that a lost attempt of a step with `ExactlyOnceStart` cannot begin any more.
    ///
    /// Returns a failure if it has begun, because how far it came is unknown.
    pub(crate) async fn begun_once(
        &self,
        loaded: &Loaded,
        step: StepIndex,
        attempt_count: u32,
    ) -> Result<Option<Failure>, EngineError> {
        let StepKind::Lambda(lambda) = &loaded.pipeline.step(step).kind else { return Ok(None) };
        if !lambda.exactly_once_start {
            return Ok(None);
        }
        let prefix = loaded.start.attempt_prefix(&loaded.pipeline.step(step).name, attempt_count);
        Ok(self.has_begun(&prefix).await?.then(|| {
            let message = format!(
                "attempt {attempt_count} began and nothing more was heard of it; with \
                 `ExactlyOnceStart` it is not begun again"
            );
            Failure::new(FailureType::LostAfterStart, message)
        }))
    }

    /// Returns true if an invocation of a step with `ExactlyOnceStart` may have arrived although
    /// its call failed.
    ///
    /// A second invocation must not begin beside it. The attempt reports by itself, or its lease
    /// lapses.
    pub(crate) async fn may_have_arrived(&self, payload: &Value) -> bool {
        let Ok(invocation) = serde_json::from_value::<Invocation>(payload[RESERVED_KEY].clone())
        else {
            return false;
        };
        if !invocation.exactly_once_start {
            return false;
        }
        match self.has_begun(&invocation.output_prefix).await {
            Ok(has_begun) => has_begun,
            Err(error) => {
                let error = error_chain(&error);
                warn!(step_name = %invocation.step_name, error, "it is unknown whether the attempt began");
                true
            }
        }
    }

    /// Returns true if a run of the attempt has begun.
    ///
    /// If none has, none can from now on, because the object that a run creates first exists.
    async fn has_begun(&self, output_prefix: &S3Uri) -> Result<bool, StoreError> {
        let uri = output_prefix.join(STARTED_NAME);
        if self.objects.create(&uri, Bytes::from(fence()), "application/json").await?
            == Created::New
        {
            return Ok(false);
        }
        // An earlier call of this method may have written it.
        let found = self.objects.get(&uri, OUTPUT_BYTES as u64).await?;
        Ok(!found.is_some_and(|found| is_fence(&found)))
    }
}
