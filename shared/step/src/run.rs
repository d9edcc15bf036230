//! The step as a Lambda function: one loop over the Runtime API.

use std::sync::Arc;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sidestep_aws::counter::Counter;
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::recorder::Recorder;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::ObjectStore;

use crate::answer::{self, Request, answer};
use crate::context::StepContext;
use crate::error::StepError;
use crate::handoff::Direct;
use crate::logging;

/// Where the function may write if a user invokes it by hand.
const OUTPUT_PREFIX: &str = "SIDESTEP_OUTPUT_PREFIX";

/// Serves `handler` as a Lambda function until the environment ends. Call it at the end of `main`.
///
/// The handler takes the step's `Arguments` and the attempt's context, and returns the step's
/// outputs: anything that serializes as a JSON object, or `()`.
pub async fn run<A, O, H, F>(handler: H) -> Result<(), Error>
where
    A: DeserializeOwned,
    O: Serialize + 'static,
    H: Fn(A, StepContext) -> F,
    F: Future<Output = Result<O, StepError>> + Send + 'static,
{
    logging::init();
    let store: Arc<dyn ObjectStore> = Arc::new(match Recorder::from_env() {
        Some(recorder) => {
            S3ObjectStore::from_env().counted(&Counter::new("step").recorded(Some(recorder)))
        }
        None => S3ObjectStore::from_env(),
    });
    let output_prefix = match std::env::var(OUTPUT_PREFIX) {
        Ok(text) if !text.is_empty() => Some(S3Uri::parse(&text)?),
        _ => None,
    };
    let direct = Direct::from_env()?;
    let serve = async |event: LambdaEvent<Value>| {
        let request = Request {
            id: event.context.request_id,
            deadline_ms: event.context.deadline,
            output_prefix: output_prefix.clone(),
        };
        let answered =
            answer(&handler, Arc::clone(&store), direct.as_ref(), event.payload, request);
        // Boxed, because the future is large and lives in that of `main`.
        Box::pin(answered).await.map_err(Diagnostic::from)
    };
    lambda_runtime::run(service_fn(serve)).await
}

/// Runs work that keeps a processor busy on a thread of its own.
///
/// Meanwhile the attempt's deadline is kept and progress is reported. A panic in `work` is the
/// step's failure. The work cannot be interrupted: if the attempt ends first, it goes on and its
/// result is dropped.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), sidestep_step::StepError> {
/// let numbers = vec![3, 1, 2];
/// let sorted = sidestep_step::blocking(move || {
///     let mut sorted = numbers;
///     sorted.sort_unstable();
///     sorted
/// })
/// .await?;
/// assert_eq!(sorted, [1, 2, 3]);
/// # Ok(())
/// # }
/// ```
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StepError> {
    let span = tracing::Span::current();
    let task = tokio::task::spawn_blocking(move || span.in_scope(work));
    task.await.map_err(answer::panicked)
}
