//! Leases that a running handler renews, and starts that happen once.
//!
//! A function with a step SDK and the sweep tell each other of both by objects below the attempt's
//! `OutputPrefix`, the one place that both may write to. Neither needs a right on the table for it.

use serde_json::{Value, json};

use crate::definition::{Step, StepKind};
use crate::execution::commit::Claim;
use crate::execution::start::Start;
use crate::uri::S3Uri;

/// The lease of a first attempt whose function renews it. A handler renews from 20 s on; the rest
/// is for starts, clocks and slow requests.
pub const RENEWED_LEASE_MS: u64 = 180_000;
/// How long a handler runs before it renews for the first time, so that short steps pay nothing.
pub const FIRST_RENEWAL_MS: u64 = 20_000;
/// How often it renews after that. Two renewals may fail before the lease lapses.
pub const RENEWAL_MS: u64 = 60_000;

/// A lease outlives two renewals that fail.
const _: () = assert!(FIRST_RENEWAL_MS < RENEWED_LEASE_MS && 2 * RENEWAL_MS < RENEWED_LEASE_MS);

/// The beginning of a renewal's name. The time until which the lease is good follows.
const LEASE: &str = "sidestep-lease-";

/// Returns true if no artifact may have this name, because a renewal or the start has it.
pub fn is_taken(name: &str) -> bool {
    name == STARTED_NAME || name.starts_with(LEASE)
}

/// The environment variable of a function whose handler renews its lease and heeds
/// `ExactlyOnceStart`. Its value is `1`.
pub const SDK_VARIABLE: &str = "SIDESTEP_SDK";

/// The variable of a function's environment that asks for the key `Sidestep` in its event, with the
/// value [`EVENT_WITH_KEY`]. A function without it and without a step SDK gets its arguments alone.
pub const EVENT_VARIABLE: &str = "SIDESTEP_EVENT";

/// The value of [`EVENT_VARIABLE`].
pub const EVENT_WITH_KEY: &str = "sidestep";

/// The name of the object that says which run of an attempt began. Only the run that created it may
/// go on.
pub const STARTED_NAME: &str = "started.json";

/// Returns the prefix of an attempt's renewals.
pub fn renewals(output_prefix: &S3Uri) -> S3Uri {
    output_prefix.join(LEASE)
}

/// Returns the object whose existence renews an attempt's lease at `now_ms`. It is create-only, so
/// a repeated request does no harm.
pub fn renewal(output_prefix: &S3Uri, now_ms: u64) -> S3Uri {
    renewal_from(output_prefix, now_ms)
}

/// Returns the same object for a lease that is renewed from a later time on.
pub fn renewal_from(output_prefix: &S3Uri, from_ms: u64) -> S3Uri {
    output_prefix.join(&format!("{LEASE}{:015}", from_ms + RENEWED_LEASE_MS))
}

/// Returns until when the lease is good, by the keys of an attempt's renewals. Other keys are
/// ignored.
pub fn renewed_until<'k>(keys: impl Iterator<Item = &'k str>) -> Option<u64> {
    let until = |key: &str| key.rsplit_once(LEASE)?.1.parse().ok();
    keys.filter_map(until).max()
}

/// Returns true if a claim no longer holds: neither by its own lease, nor by the last renewal.
pub fn is_lapsed(claim: &Claim, renewed_until_ms: Option<u64>, now_ms: u64) -> bool {
    claim.lease_until_ms.max(renewed_until_ms.unwrap_or_default()) < now_ms
}

/// Returns true if the attempts of `step` may have renewed their leases, so that the sweep has to
/// look. A handler without a step SDK renews none.
pub fn can_be_renewed(start: &Start, step: &Step) -> bool {
    // The call that makes a job may be put off.
    let is_job = matches!(step.kind, StepKind::Job(_));
    is_job || start.function(step).is_some_and(|function| function.has_sdk)
}

/// Returns what the sweep writes in place of a run's start, so that no run can begin any more.
pub fn fence() -> Vec<u8> {
    json!({ "Fenced": true }).to_string().into_bytes()
}

/// Returns true if the content of a start is a [`fence`].
pub fn is_fence(started: &[u8]) -> bool {
    serde_json::from_slice(started).is_ok_and(|started: Value| started["Fenced"] == true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::inputs::Inputs;

    #[test]
    fn the_last_renewal_counts_and_nothing_else_is_one() {
        let prefix = S3Uri::new("b", "runs/p/e/sidestep-lease-S/1/");
        let (first, last) = (renewal(&prefix, 20_000), renewal(&prefix, 9_999_999));
        let keys = [
            last.key(),
            first.key(),
            "runs/p/e/sidestep-lease-S/1/data",
            "runs/p/e/S/1/sidestep-lease-x",
        ];
        assert_eq!(renewed_until(keys.into_iter()), Some(9_999_999 + RENEWED_LEASE_MS));
        assert_eq!(renewed_until(keys.into_iter().skip(2)), None);
        assert!(first.key().starts_with(renewals(&prefix).key()));
    }

    #[test]
    fn a_lease_lapses_after_its_end_and_after_its_last_renewal() {
        let claim = Claim {
            attempt_count: 1,
            lease_until_ms: 100,
            started_at_ms: 0,
            deadline_ms: None,
            callback_token: None,
            job: None,
            cache: None,
            inputs: Inputs::default(),
        };
        for (renewed_until_ms, now_ms, expected) in [
            (None, 100, false),
            (None, 101, true),
            (Some(90), 101, true),
            (Some(90), 100, false),
            (Some(200), 200, false),
            (Some(200), 201, true),
        ] {
            let found = is_lapsed(&claim, renewed_until_ms, now_ms);
            assert_eq!(found, expected, "{renewed_until_ms:?} at {now_ms}");
        }
    }

    #[test]
    fn only_the_sweeps_start_is_a_fence() {
        assert!(is_fence(&fence()) && is_fence(br#"{"Fenced": true, "By": "a later release"}"#));
        for other in [&br#"{"Run": "x"}"#[..], b"", b"[]", br#"{"Fenced": "true"}"#] {
            assert!(!is_fence(other));
        }
    }
}
