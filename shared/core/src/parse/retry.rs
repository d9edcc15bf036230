//! Reads `RetryPolicies`.

use crate::definition::RetryPolicy;
use crate::failure::FailureType;
use crate::limits;
use crate::parse::problem::Code;
use crate::parse::text::{Content, Finding, Node};

use super::reader::Reader;

const KEYS: [&str; 5] =
    ["ExceptionType", "IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin"];

/// The types that a policy can name. `Emr.RESOURCE_LIMIT` is in the published schema only.
const EXCEPTION_TYPES: [&str; 10] = [
    FailureType::ServiceFault.as_str(),
    FailureType::Throttling.as_str(),
    // Of jobs.
    FailureType::JobInternalError.as_str(),
    FailureType::JobCapacity.as_str(),
    FailureType::JobResourceLimit.as_str(),
    "Emr.RESOURCE_LIMIT",
    // Extensions; the first two stand for several types, see `plan::retry`.
    FailureType::FunctionError.as_str(),
    FailureType::Timeout.as_str(),
    FailureType::AttemptLost.as_str(),
    FailureType::LostAfterStart.as_str(),
];

const DEFAULT_INTERVAL_SECONDS: u64 = 1;
const DEFAULT_BACKOFF_RATE: f64 = 2.0;
const DEFAULT_MAX_ATTEMPTS: u64 = 5;

impl<'d> Reader<'d> {
    pub(super) fn retry_policies(&mut self, node: Node<'d>) -> Vec<RetryPolicy> {
        if !self.array(node, "retry policies", usize::MAX) {
            return Vec::new();
        }
        node.elements().filter_map(|node| self.retry_policy(node)).collect()
    }

    fn retry_policy(&mut self, node: Node<'d>) -> Option<RetryPolicy> {
        if !self.object(node, &KEYS) {
            return None;
        }
        let exception_types = self
            .required(node, "ExceptionType")
            .map(|member| self.exception_types(member))
            .unwrap_or_default();
        let mut whole = |key: &str, limit| {
            let member = node.get(key)?;
            self.whole(member, &format!("`{key}`"), limit)
        };
        let interval_seconds = whole("IntervalSeconds", limits::RETRY_INTERVAL_SECONDS);
        let max_attempts = whole("MaxAttempts", limits::RETRY_MAX_ATTEMPTS);
        let expire_after_minutes = whole("ExpireAfterMin", limits::RETRY_EXPIRE_AFTER_MINUTES);
        if let (Some(_), Some(second)) = (node.get("MaxAttempts"), node.get("ExpireAfterMin")) {
            let message = "`MaxAttempts` and `ExpireAfterMin` exclude each other";
            self.report(Finding::at_key(second, Code::ConflictingKeys, message));
        }
        let backoff_rate = node.get("BackoffRate").map(|node| self.backoff_rate(node));
        Some(RetryPolicy {
            exception_types,
            interval_seconds: interval_seconds.unwrap_or(DEFAULT_INTERVAL_SECONDS),
            backoff_rate: backoff_rate.unwrap_or(DEFAULT_BACKOFF_RATE),
            max_attempts: match (max_attempts, expire_after_minutes) {
                (None, None) => Some(DEFAULT_MAX_ATTEMPTS),
                (given, _) => given,
            },
            expire_after_minutes,
        })
    }

    /// Reads an array of strings, or one string as the published schema has it.
    fn exception_types(&mut self, node: Node<'d>) -> Vec<String> {
        if node.as_str().is_some() {
            let word = self.one_of(node, "exception type", &EXCEPTION_TYPES);
            return word.into_iter().map(str::to_owned).collect();
        }
        if !self.array(node, "exception types", usize::MAX) {
            return Vec::new();
        }
        if node.elements().next().is_none() {
            let message = "`ExceptionType` is empty, so that the policy would never apply";
            self.report(Finding::at(node, Code::InvalidValue, message));
        }
        node.elements()
            .filter_map(|element| self.one_of(element, "exception type", &EXCEPTION_TYPES))
            .map(str::to_owned)
            .collect()
    }

    fn backoff_rate(&mut self, node: Node<'d>) -> f64 {
        if let Content::Number(number) = node.content() {
            if let Some(rate) = number.as_f64().filter(|rate| *rate >= 0.0) {
                return rate;
            }
            let message = format!("`BackoffRate` is {number}, out of its range");
            self.report(Finding::at(node, Code::InvalidValue, message).allowed("0 and above"));
        } else if !matches!(node.content(), Content::Unreadable) {
            let message = format!("expected a number, found {}", node.describe());
            self.report(Finding::at(node, Code::WrongType, message));
        }
        DEFAULT_BACKOFF_RATE
    }
}
