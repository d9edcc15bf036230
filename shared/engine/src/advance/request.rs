//! Records the request ids of invocations whose functions get no token.

use sidestep_core::definition::Pipeline;
use sidestep_core::execution::commit::Revision;
use sidestep_core::execution::invocation::{AttemptName, REQUEST_SECONDS, RequestRecord};
use sidestep_core::execution::proof::request_code;
use sidestep_core::execution::start::Start;
use tracing::warn;

use crate::engine::Engine;
use crate::error::error_chain;

impl Engine {
    /// Records which attempt an invocation belongs to, unless its function proves that itself.
    ///
    /// Without the record, the result is not known as the attempt's. Its lease then lapses, and
    /// the sweep begins a new attempt.
    pub(super) async fn record_request(
        &self,
        start: &Start,
        pipeline: &Pipeline,
        request_id: &str,
        attempt: AttemptName,
        revision: Revision,
    ) {
        let AttemptName { execution_id, step_name, attempt_count } = attempt;
        let Some(step) = pipeline.find(&step_name) else { return };
        let function = start.function(pipeline.step(step));
        let Some(function) = function.filter(|it| it.is_known_by_request()) else { return };
        let token = start.secret.token(&execution_id, step, attempt_count, revision);
        let record = RequestRecord {
            proof: request_code(&token, request_id),
            execution_id,
            step_name,
            attempt_count,
            function_arn: function.invoke_arn.clone(),
            expires_at: self.clock.now_ms() / 1000 + REQUEST_SECONDS,
        };
        if let Err(error) = self.executions.put_request(request_id, &record).await {
            let error = error_chain(&error);
            let RequestRecord { execution_id, step_name, .. } = record;
            warn!(%execution_id, %step_name, attempt_count, error,
                "the result of an invocation will not be known");
        }
    }
}
