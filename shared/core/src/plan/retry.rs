//! Retries: whether a failed attempt is followed by another, and when.
//!
//! The policies are SageMaker's. The first that names the failure's exception type applies. Retry
//! `k` waits `IntervalSeconds * BackoffRate^(k-1)`. `MaxAttempts` counts retries, and
//! `ExpireAfterMin` counts from the step's first attempt. Without a policy, throttles and service
//! faults are retried all the same, from 1 s on. Up to a quarter is added to each delay, so that
//! attempts that failed together do not come back together.

use sha2::{Digest, Sha256};

use crate::definition::RetryPolicy;
use crate::execution::commit::Failure;
use crate::failure::FailureType;

/// The longest delay. `IntervalSeconds` may be 43,200, and the back-off must not outgrow it.
const LONGEST_SECONDS: f64 = 43_200.0;
/// How often throttles and service faults are retried that no policy names.
const DEFAULT_RETRIES: u64 = 5;

/// When the next attempt begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    /// In milliseconds since 1970.
    pub at_ms: u64,
    /// 1 for the first retry.
    pub retry: u32,
}

/// The attempt that failed.
#[derive(Debug, Clone, Copy)]
pub struct Tried<'a> {
    pub failure: &'a Failure,
    /// How many attempts have begun so far.
    pub attempt_count: u32,
    /// When the first attempt began, in milliseconds since 1970.
    pub started_at_ms: u64,
    pub now_ms: u64,
    /// Spreads the delays. It is the same for the same attempt.
    pub seed: &'a str,
}

/// Returns when to try again, or `None` if the step has failed.
pub fn next_attempt(policies: &[RetryPolicy], tried: Tried<'_>) -> Option<Delay> {
    let default_types = FailureType::ALL.iter().filter(|given| given.is_retried_by_default());
    let default = RetryPolicy {
        exception_types: default_types.copied().map(String::from).collect(),
        interval_seconds: 1,
        backoff_rate: 2.0,
        max_attempts: Some(DEFAULT_RETRIES),
        expire_after_minutes: None,
    };
    let policy = policies.iter().chain([&default]).find(|policy| applies(policy, tried.failure))?;
    let retry = tried.attempt_count;
    if policy.max_attempts.is_some_and(|limit| u64::from(retry) > limit) {
        return None;
    }
    let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
    let interval = std::time::Duration::from_secs(policy.interval_seconds).as_secs_f64();
    let seconds = (interval * policy.backoff_rate.powi(exponent)).clamp(0.0, LONGEST_SECONDS);
    let delay = std::time::Duration::from_secs_f64(seconds * (1.0 + jitter(tried) / 4.0));
    let at_ms = tried.now_ms + u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    let expires_ms =
        policy.expire_after_minutes.map(|minutes| tried.started_at_ms + minutes * 60_000);
    if expires_ms.is_some_and(|expires_ms| at_ms >= expires_ms) {
        return None;
    }
    Some(Delay { at_ms, retry })
}

/// Returns true if a policy names the failure's type, or a group that the type belongs to.
fn applies(policy: &RetryPolicy, failure: &Failure) -> bool {
    let given = failure.failure_type();
    policy.exception_types.iter().any(|wanted| match FailureType::parse(wanted) {
        Some(FailureType::Timeout) => given.is_some_and(FailureType::is_timeout),
        Some(FailureType::FunctionError) => {
            given.is_none_or(|given| !given.is_final() && !given.is_retried_by_default())
        }
        _ => *wanted == failure.error_type,
    })
}

/// Returns a number from 0 to 1, which is the same for the same attempt.
fn jitter(tried: Tried<'_>) -> f64 {
    let hash = Sha256::digest(format!("{}/{}", tried.seed, tried.attempt_count));
    f64::from(u16::from_be_bytes([hash[0], hash[1]])) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(types: &[&str], max_attempts: Option<u64>, minutes: Option<u64>) -> RetryPolicy {
        RetryPolicy {
            exception_types: types.iter().map(|text| (*text).to_owned()).collect(),
            interval_seconds: 10,
            backoff_rate: 2.0,
            max_attempts,
            expire_after_minutes: minutes,
        }
    }

    fn next(policies: &[RetryPolicy], error_type: &str, attempt_count: u32) -> Option<u64> {
        let failure = Failure { error_type: error_type.to_owned(), message: String::new() };
        let tried = Tried {
            failure: &failure,
            attempt_count,
            started_at_ms: 0,
            now_ms: 0,
            seed: "execution/step",
        };
        Some(next_attempt(policies, tried)?.at_ms)
    }

    #[test]
    fn delays_grow_by_the_rate_and_a_quarter_of_jitter_at_most() {
        let policies = [policy(&["Sidestep.FunctionError"], Some(3), None)];
        for (attempt, seconds) in [(1, 10_000), (2, 20_000), (3, 40_000)] {
            let at_ms = next(&policies, "ValueError", attempt).expect("retried");
            assert!((seconds..=seconds * 5 / 4).contains(&at_ms), "{attempt}: {at_ms}");
        }
        assert_eq!(next(&policies, "ValueError", 4), None, "MaxAttempts counts retries");
    }

    #[test]
    fn the_first_policy_that_names_the_failure_applies() {
        let timeout = policy(&["Sidestep.Timeout"], Some(0), None);
        let any = policy(&["Sidestep.FunctionError"], Some(9), None);
        assert_eq!(next(&[timeout.clone(), any.clone()], "Sandbox.Timedout", 1), None);
        assert!(next(&[any, timeout], "Sandbox.Timedout", 1).is_some());
    }

    #[test]
    fn throttles_and_service_faults_are_retried_without_a_policy_and_others_are_not() {
        assert!(next(&[], "Step.THROTTLING", 1).is_some());
        assert!(next(&[], "Step.SERVICE_FAULT", 5).is_some());
        assert_eq!(next(&[], "Step.THROTTLING", 6), None);
        assert_eq!(next(&[], "ValueError", 1), None);
        let never = policy(&["Step.THROTTLING"], Some(0), None);
        assert_eq!(next(&[never], "Step.THROTTLING", 1), None, "a policy overrides that");
    }

    #[test]
    fn what_another_attempt_would_only_repeat_is_never_retried() {
        let any = [policy(&["Sidestep.FunctionError"], Some(9), None)];
        assert_eq!(next(&any, "Sidestep.OutputType", 1), None);
        assert!(next(&any, "Runtime.ExitError", 1).is_some());
    }

    #[test]
    fn expire_after_counts_from_the_first_attempt() {
        let policies = [policy(&["Sidestep.FunctionError"], None, Some(1))];
        assert!(next(&policies, "E", 2).is_some(), "20 s of 60");
        assert_eq!(next(&policies, "E", 4), None, "80 s of 60");
    }
}
