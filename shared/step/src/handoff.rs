//! The direct road: the finished step commits its result and invokes the next steps itself.
//!
//! The other road waits for the manifest's S3 event to reach the planner. `SIDESTEP_HANDOFF`
//! chooses between them; where the direct road fails, the result goes the other way.

use lambda_runtime::Error;
use serde_json::{Map, Value, json};
use sidestep_aws::counter::Counter;
use sidestep_aws::recorder::Recorder;
use sidestep_core::execution::invocation::{COMMITTED, Invocation, REPORTED, RESERVED_KEY, USAGE};
use sidestep_core::execution::manifest::Manifest;
use sidestep_core::limits::INLINE_OUTPUT_BYTES;
use sidestep_core::plan::handoff::{CarriedState, Handoff};
use sidestep_engine::advance::handoff::HandoffOutcome;
use sidestep_engine::engine::Engine;
use sidestep_engine::error::error_chain;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::objects::ObjectStore;

use crate::error::StepError;
use crate::report::publish;

/// If this variable is set, the answer lists the requests that the commit cost.
const COUNT: &str = "SIDESTEP_COUNT";

/// What a function needs to commit its own result.
#[derive(Debug)]
pub(crate) struct Direct {
    engine: Engine,
    handoff: Handoff,
    /// Counts the engine's requests, if `SIDESTEP_COUNT` asks for it.
    counter: Option<Counter>,
}

impl Direct {
    /// Sets up the direct road if the deployment wants it. Makes no request.
    pub(crate) fn from_env() -> Result<Option<Self>, Error> {
        let handoff = sidestep_aws::handoff_from_env()?;
        if !handoff.is_direct() {
            return Ok(None);
        }
        let options = EngineOptions { handoff, ..EngineOptions::default() };
        let counter =
            std::env::var_os(COUNT).map(|_| Counter::new("step").recorded(Recorder::from_env()));
        let engine = match &counter {
            Some(counter) => sidestep_aws::counted_engine_from_env(counter, options)?,
            None => sidestep_aws::engine_from_env(options)?,
        };
        Ok(Some(Self { engine, handoff, counter }))
    }

    /// Returns true if a commit can hold these outputs.
    fn is_for(outputs: &Map<String, Value>) -> bool {
        serde_json::to_vec(outputs).is_ok_and(|bytes| bytes.len() <= INLINE_OUTPUT_BYTES)
    }

    /// Commits the result. After an error the planner has to go on.
    async fn commit(
        &self,
        invocation: &Invocation,
        carried: Option<CarriedState>,
        manifest: &Manifest,
    ) -> HandoffOutcome {
        self.engine.hand_off(invocation, carried, manifest).await.unwrap_or_else(|error| {
            let error = error_chain(&error);
            tracing::warn!(error, "could not commit the result: the planner has to");
            HandoffOutcome::LeftToPlanner
        })
    }
}

/// Reports a result on the roads that the deployment wants, and returns the function's answer.
pub(crate) async fn report(
    store: &dyn ObjectStore,
    direct: Option<&Direct>,
    invocation: &Invocation,
    carried: Option<CarriedState>,
    manifest: Manifest,
) -> Result<Value, StepError> {
    // Large outputs stay in the manifest, which must exist before the commit that names it.
    let Some(direct) = direct.filter(|_| Direct::is_for(&manifest.outputs)) else {
        return publish(store, invocation, manifest).await;
    };
    let mark = match direct.commit(invocation, carried, &manifest).await {
        HandoffOutcome::Committed => COMMITTED,
        HandoffOutcome::Reported => REPORTED,
        HandoffOutcome::LeftToPlanner => return publish(store, invocation, manifest).await,
    };
    let wants_manifest = direct.handoff == Handoff::Both || !manifest.artifacts.is_empty();
    let mut answer = Value::Object(manifest.outputs.clone());
    if wants_manifest {
        match publish(store, invocation, manifest).await {
            Ok(published) => answer = published,
            // The result counts all the same. Only a repair without the table's items would miss
            // it.
            Err(error) => {
                tracing::warn!(%error, "could not write the manifest of a committed result");
            }
        }
    }
    if !answer[RESERVED_KEY].is_object() {
        answer[RESERVED_KEY] = json!({});
    }
    answer[RESERVED_KEY][mark] = true.into();
    if let Some(counter) = &direct.counter {
        answer[RESERVED_KEY][USAGE] = json!(counter.take().into_values().next());
    }
    Ok(answer)
}
