//! Turns an event into the function's answer: everything around a handler that is not Lambda.
//!
//! ```text
//! event -> split -> arguments -> handler, until the deadline -> outputs -> manifest -> answer
//! ```

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sidestep_core::definition::output::is_within_depth;
use sidestep_core::execution::invocation::{Invocation, RESERVED_KEY};
use sidestep_core::execution::manifest::{Manifest, Timing};
use sidestep_core::failure::FailureType;
use sidestep_core::limits;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::ObjectStore;
use tokio::task::JoinError;
use tracing::Instrument;

use crate::clock::now_ms;
use crate::context::StepContext;
use crate::error::StepError;
use crate::event::Parts;
use crate::handoff::Direct;
use crate::{event, handoff, lease, logging, report};

/// How long before the deadline an attempt is ended: a tenth of its time, but at most this long.
const MARGIN: Duration = Duration::from_millis(500);

/// The time of a function without a deadline: Lambda's longest.
const LONGEST: Duration = Duration::from_mins(15);

/// What Lambda says about an invocation.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) id: String,
    /// The deadline in milliseconds since 1970, or 0 if there is none.
    pub(crate) deadline_ms: u64,
    /// Where the function may write if a user invokes it by hand.
    pub(crate) output_prefix: Option<S3Uri>,
}

/// Runs the handler on one event and returns the function's answer.
pub(crate) async fn answer<A, O, H, F>(
    handler: &H,
    store: Arc<dyn ObjectStore>,
    direct: Option<&Direct>,
    event: Value,
    request: Request,
) -> Result<Value, StepError>
where
    A: DeserializeOwned,
    O: Serialize + 'static,
    H: Fn(A, StepContext) -> F,
    F: Future<Output = Result<O, StepError>> + Send + 'static,
{
    let Parts { invocation, carried, rest } = event::split(event)?;
    let span = logging::span(invocation.as_ref(), &request.id);
    let attempt = async {
        let arguments = event::arguments(rest)?;
        if let Some(invocation) = invocation.as_ref().filter(|it| it.exactly_once_start)
            && !lease::begins(store.as_ref(), invocation, &request.id).await?
        {
            let why = "this attempt has begun before, or was given up";
            tracing::warn!(why, "retiring: the step has `ExactlyOnceStart`");
            return Ok(report::discarded(invocation, why));
        }
        let started = (Instant::now(), now_ms());
        let ctx = context(invocation.clone(), request, Arc::clone(&store));
        let work = supervise(handler(arguments, ctx.clone()), &ctx);
        let outputs = match lease::renewing(store.as_ref(), invocation.as_ref(), work).await {
            Ok(outputs) => outputs,
            Err(error) => match &invocation {
                // Lambda delivered this invocation twice. The other run has come further, so it
                // will report.
                Some(invocation)
                    if error.error_type() == FailureType::ArtifactConflict.as_str() =>
                {
                    tracing::warn!(%error, "retiring in favour of another run of this attempt");
                    return Ok(report::discarded(invocation, error.message()));
                }
                _ => return Err(error),
            },
        };
        let Some(invocation) = invocation else { return Ok(Value::Object(outputs)) };
        let timing = Timing {
            started_at_ms: started.1,
            duration_ms: started.0.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        };
        let artifacts = ctx.artifacts().written();
        let manifest = Manifest::new(&invocation.token, outputs, artifacts, timing);
        handoff::report(store.as_ref(), direct, &invocation, carried, manifest).await
    };
    let answered = attempt.instrument(span.clone()).await;
    if let Err(error) = &answered {
        span.in_scope(|| tracing::error!(error_type = error.error_type(), "{error}"));
    }
    answered
}

fn context(
    invocation: Option<Invocation>,
    request: Request,
    store: Arc<dyn ObjectStore>,
) -> StepContext {
    let deadlines = [invocation.as_ref().map_or(0, |it| it.deadline_ms), request.deadline_ms];
    let deadline = Instant::now() + time_left(deadlines, now_ms());
    let output_prefix = match &invocation {
        Some(invocation) => Some(invocation.output_prefix.clone()),
        // One folder per request: artifacts are create-only, and a user by hand tries again and
        // again.
        None => request.output_prefix.map(|prefix| prefix.join(&format!("{}/", request.id))),
    };
    StepContext::new(invocation, output_prefix, deadline, store)
}

/// Returns the time until the earlier deadline (0 means none), less the time needed to answer.
fn time_left(deadlines_ms: [u64; 2], now_ms: u64) -> Duration {
    let earlier = deadlines_ms.into_iter().filter(|ms| *ms > 0).min();
    let left =
        earlier.map_or(LONGEST, |ms| Duration::from_millis(ms.saturating_sub(now_ms))).min(LONGEST);
    left.saturating_sub((left / 10).min(MARGIN))
}

/// Runs the handler in a task of its own until the deadline.
///
/// So neither a panic nor a handler that blocks its thread keeps the answer from being sent.
async fn supervise<O, F>(future: F, ctx: &StepContext) -> Result<Map<String, Value>, StepError>
where
    O: Serialize + 'static,
    F: Future<Output = Result<O, StepError>> + Send + 'static,
{
    let time = ctx.remaining();
    let run = async { future.await.and_then(|outputs| object(&outputs)) };
    let mut task = tokio::spawn(run.in_current_span());
    match tokio::time::timeout_at(ctx.deadline().into(), &mut task).await {
        Ok(Ok(outputs)) => outputs,
        Ok(Err(error)) => Err(panicked(error)),
        Err(_) => {
            task.abort();
            let seconds = time.as_secs_f64();
            let message = format!("ended after {seconds:.1} s, shortly before its time was up");
            Err(StepError::new(FailureType::Timeout, message))
        }
    }
}

/// Checks what a handler returned and makes it the step's outputs. `()` becomes an object without
/// keys.
fn object(outputs: &impl Serialize) -> Result<Map<String, Value>, StepError> {
    let outputs = match serde_json::to_value(outputs)? {
        Value::Object(outputs) => outputs,
        Value::Null => Map::new(),
        _ => {
            let message = "the handler's outputs are not a JSON object: return a struct or a map";
            return Err(StepError::new(FailureType::OutputNotObject, message));
        }
    };
    if outputs.contains_key(RESERVED_KEY) {
        let message = format!("`{RESERVED_KEY}` is a reserved key and cannot be an output");
        return Err(StepError::new(FailureType::OutputNotObject, message));
    }
    let bytes = serde_json::to_vec(&outputs)?.len();
    if bytes > limits::OUTPUT_BYTES {
        let limit = limits::OUTPUT_BYTES;
        let message =
            format!("the outputs have {bytes} bytes, over the limit of {limit}: write an artifact");
        return Err(StepError::new(FailureType::OutputTooLarge, message));
    }
    if !is_within_depth(&outputs) {
        let limit = limits::OUTPUT_DEPTH;
        let message = format!("the outputs are nested deeper than {limit} levels");
        return Err(StepError::new(FailureType::OutputTooDeep, message));
    }
    Ok(outputs)
}

/// Makes a step's failure of a task that panicked, with the panic's message if it has one.
pub(crate) fn panicked(error: JoinError) -> StepError {
    let message = match error.try_into_panic() {
        Ok(panic) => panic_message(panic.as_ref()),
        Err(error) => error.to_string(),
    };
    StepError::new(FailureType::Panic, message)
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the handler panicked: {}", text.unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sidestep_engine::ports::objects::memory::MemoryObjectStore;

    use super::*;

    async fn write(_: Value, ctx: StepContext) -> Result<Value, StepError> {
        let artifact = ctx.put_artifact("a.txt", "x").await?;
        Ok(json!({"Uri": artifact.uri, "Attempt": ctx.attempt_count()}))
    }

    async fn by_hand(output_prefix: Option<S3Uri>) -> Result<Value, StepError> {
        let store = Arc::new(MemoryObjectStore::default());
        let request = Request { id: "id-1".to_owned(), deadline_ms: 0, output_prefix };
        let answered = answer(&write, store.clone(), None, json!({"Any": 1}), request).await;
        assert!(!store.objects().keys().any(|uri| uri.key().ends_with("manifest.json")));
        answered
    }

    #[tokio::test]
    async fn by_hand_there_is_no_report_and_artifacts_need_a_place() {
        let error = by_hand(None).await.unwrap_err();
        assert_eq!(error.error_type(), "Sidestep.NoOutputPrefix");

        let answered = by_hand(Some(S3Uri::new("bucket", "tries/"))).await.unwrap();
        assert_eq!(answered, json!({"Uri": "s3://bucket/tries/id-1/a.txt", "Attempt": 1}));
    }

    #[tokio::test]
    async fn an_event_that_is_no_object_still_reaches_the_handler() {
        async fn echo(arguments: Vec<u8>, _: StepContext) -> Result<Value, StepError> {
            Ok(json!({"Count": arguments.len()}))
        }
        let store = Arc::new(MemoryObjectStore::default());
        let answered = answer(&echo, store, None, json!([1, 2]), Request::default()).await.unwrap();
        assert_eq!(answered, json!({"Count": 2}));
    }

    #[test]
    fn the_earlier_deadline_counts_less_a_tenth_or_half_a_second() {
        let cases = [
            ([60_000, 30_000], 19_500),
            ([20_000, 30_000], 9_500),
            ([0, 11_000], 900),
            ([5_000, 0], 0),
            ([0, 0], 899_500),
            ([u64::MAX, 0], 899_500),
        ];
        for (deadlines, left_ms) in cases {
            assert_eq!(
                time_left(deadlines, 10_000),
                Duration::from_millis(left_ms),
                "{deadlines:?}"
            );
        }
    }
}
