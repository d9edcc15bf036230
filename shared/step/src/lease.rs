//! The attempt's lease, and the start that only one run of an attempt wins.
//!
//! While the handler runs, this module renews the lease: each renewal is a small object below the
//! attempt's prefix, which the sweep reads before it takes an attempt for lost.

use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use sidestep_core::execution::invocation::Invocation;
use sidestep_core::plan::lease::{FIRST_RENEWAL_MS, RENEWAL_MS, STARTED_NAME, renewal};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::{Created, ObjectStore};

use crate::clock::now_ms;
use crate::error::StepError;

/// The most that is read of a start, which is a few words.
const STARTED_BYTES: u64 = 4_096;

/// When the lease of an attempt is renewed.
#[derive(Debug, Clone, Copy)]
struct Pace {
    first: Duration,
    every: Duration,
}

/// Does `work` and renews the attempt's lease meanwhile. Short work renews nothing.
pub(crate) async fn renewing<T>(
    store: &dyn ObjectStore,
    invocation: Option<&Invocation>,
    work: impl Future<Output = T>,
) -> T {
    let (first, every) =
        (Duration::from_millis(FIRST_RENEWAL_MS), Duration::from_millis(RENEWAL_MS));
    renewing_at(Pace { first, every }, store, invocation, work).await
}

async fn renewing_at<T>(
    pace: Pace,
    store: &dyn ObjectStore,
    invocation: Option<&Invocation>,
    work: impl Future<Output = T>,
) -> T {
    let Some(invocation) = invocation else { return work.await };
    tokio::select! {
        biased;
        done = work => done,
        never = renew(pace, store, &invocation.output_prefix) => match never {},
    }
}

async fn renew(pace: Pace, store: &dyn ObjectStore, output_prefix: &S3Uri) -> Infallible {
    let mut pause = pace.first;
    loop {
        tokio::time::sleep(pause).await;
        pause = pace.every;
        let uri = renewal(output_prefix, now_ms());
        if let Err(error) = store.create(&uri, Bytes::new(), "text/plain").await {
            // The lease outlasts two more renewals, and the work goes on in any case.
            tracing::warn!(%error, "the lease was not renewed");
        }
    }
}

/// Returns true if this run of the attempt may begin.
///
/// The first run that asks may begin, even if the answer to its own request was lost.
pub(crate) async fn begins(
    store: &dyn ObjectStore,
    invocation: &Invocation,
    request_id: &str,
) -> Result<bool, StepError> {
    let uri = invocation.output_prefix.join(STARTED_NAME);
    // Two deliveries of one event have the same request id, so a random part tells the runs apart.
    let run = format!("{request_id}/{:016x}", RandomState::new().hash_one(request_id));
    let started = Bytes::from(json!({ "Run": run, "AtMs": now_ms() }).to_string());
    if store.create(&uri, started.clone(), "application/json").await? == Created::New {
        return Ok(true);
    }
    Ok(store.get(&uri, STARTED_BYTES).await?.is_some_and(|found| found == started))
}

#[cfg(test)]
mod tests {
    use sidestep_core::plan::lease::renewed_until;
    use sidestep_engine::ports::objects::memory::MemoryObjectStore;

    use super::*;

    fn invocation() -> Invocation {
        serde_json::from_value(json!({"ExecutionId": "abcdefghijkl", "PipelineName": "p",
            "StepName": "S", "AttemptCount": 1, "OutputPrefix": "s3://bucket/runs/p/abcdefghijkl/S/1/",
            "Token": "t", "DeadlineMs": 5}))
        .unwrap()
    }

    #[tokio::test]
    async fn only_work_that_takes_long_renews() {
        let (store, invocation) = (MemoryObjectStore::default(), invocation());
        let (short, hour) = (Duration::from_millis(1), Duration::from_hours(1));
        // Waits for a renewal, which never comes if there is no attempt.
        let until_renewed = async {
            while store.objects().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let pace = Pace { first: hour, every: hour };
        renewing_at(pace, &store, Some(&invocation), async {}).await;
        renewing_at(pace, &store, Some(&invocation), tokio::time::sleep(short)).await;
        assert!(store.objects().is_empty(), "it was over before");
        let pace = Pace { first: short, every: hour };
        renewing_at(pace, &store, None, tokio::time::sleep(2 * short)).await;
        assert!(store.objects().is_empty(), "invoked by hand, there is no attempt");
        renewing_at(pace, &store, Some(&invocation), until_renewed).await;
        let until = renewed_until(store.objects().keys().map(S3Uri::key)).unwrap();
        assert!(until > now_ms() + 100_000, "{until}");
    }

    #[tokio::test]
    async fn of_many_runs_of_an_attempt_one_begins() {
        let store = MemoryObjectStore::default();
        let invocation = invocation();
        assert!(begins(&store, &invocation, "one").await.unwrap());
        for _ in 0..3 {
            assert!(!begins(&store, &invocation, "one").await.unwrap());
        }
    }
}
