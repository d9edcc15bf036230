//! The queues of a function, by Lambda's rules.

use std::collections::BTreeSet;

use serde::Deserialize;
use sidestep_local::deployment::{REPORTS, TIMERS};

use crate::output::error::{CommandError, user};

/// `[[functions.NAME.queues]]`: a queue whose messages invoke the function, as an event source
/// mapping of Lambda does
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueueSettings {
    /// A queue of the stack's account and region.
    pub(crate) name: Option<String>,
    pub(crate) arn: Option<String>,
    /// The most messages of one event.
    #[serde(default = "default_batch_size")]
    pub(crate) batch_size: u32,
    /// For how many seconds a batch is collected.
    #[serde(default)]
    pub(crate) batching_window_seconds: u32,
    /// Whether the function answers with `batchItemFailures`.
    #[serde(default)]
    pub(crate) report_batch_item_failures: bool,
}

fn default_batch_size() -> u32 {
    10
}

impl QueueSettings {
    /// Returns the queue's name, which is the last part of an ARN.
    pub(crate) fn queue_name(&self) -> &str {
        let of_arn = || self.arn.as_deref().and_then(|arn| arn.rsplit(':').next());
        self.name.as_deref().or_else(of_arn).unwrap_or_default()
    }
}

/// Refuses the first queue that Lambda would refuse.
pub(super) fn check(function: &str, queues: &[QueueSettings]) -> Result<(), CommandError> {
    let place = format!("functions.{function}.queues");
    let mut names = BTreeSet::new();
    for queue in queues {
        if queue.name.is_some() == queue.arn.is_some() {
            return Err(user(format!("a queue of `{place}` takes either `name` or `arn`")));
        }
        if let Some(arn) = &queue.arn {
            let parts: Vec<_> = arn.split(':').collect();
            if parts.len() != 6 || parts[0] != "arn" || parts[2] != "sqs" {
                return Err(user(format!(
                    "invalid `arn` in `{place}`: expected `arn:aws:sqs:REGION:ACCOUNT:NAME`, got `{arn}`"
                )));
            }
        }
        let name = queue.queue_name();
        check_name(&place, name)?;
        if !names.insert(name) {
            return Err(user(format!("`{place}` names queue `{name}` twice")));
        }
        check_numbers(&place, queue)?;
    }
    Ok(())
}

fn check_name(place: &str, name: &str) -> Result<(), CommandError> {
    if name.strip_suffix(".fifo").is_some() {
        let problem = format!("`{place}` names the FIFO queue `{name}`, which is not supported");
        return Err(user(problem).hint("use a standard queue"));
    }
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 80 || !name.chars().all(is_legal) {
        return Err(user(format!(
            "invalid name `{name}` in `{place}`: expected 1 to 80 letters, digits, `-` or `_`"
        )));
    }
    if [REPORTS, TIMERS].contains(&name) {
        return Err(user(format!("`{place}` names queue `{name}`, which belongs to the engine")));
    }
    Ok(())
}

fn check_numbers(place: &str, queue: &QueueSettings) -> Result<(), CommandError> {
    if !(1..=10_000).contains(&queue.batch_size) {
        return Err(user(format!(
            "invalid `batch_size` in `{place}`: expected 1 to 10000, got {}",
            queue.batch_size
        )));
    }
    if queue.batching_window_seconds > 300 {
        return Err(user(format!(
            "invalid `batching_window_seconds` in `{place}`: expected 0 to 300, got {}",
            queue.batching_window_seconds
        )));
    }
    if queue.batch_size > 10 && queue.batching_window_seconds == 0 {
        let problem = format!("a `batch_size` over 10 in `{place}` needs a batching window");
        return Err(user(problem).hint("set `batching_window_seconds` to 1 or more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_follow_the_rules_of_lambda() {
        for (text, problem) in [
            (r#"name = "work""#, ""),
            (r#"arn = "arn:aws:sqs:eu-west-1:123456789012:work""#, ""),
            ("name = \"work\"\nbatch_size = 100\nbatching_window_seconds = 5", ""),
            ("", "takes either `name` or `arn`"),
            ("name = \"a\"\narn = \"b\"", "takes either `name` or `arn`"),
            (r#"arn = "arn:aws:sns:eu-west-1:123456789012:work""#, "invalid `arn`"),
            (r#"name = "a b""#, "invalid name `a b`"),
            (r#"name = "work.fifo""#, "FIFO queue `work.fifo`"),
            (r#"name = "sidestep-timers""#, "belongs to the engine"),
            ("name = \"work\"\nbatch_size = 0", "invalid `batch_size`"),
            ("name = \"work\"\nbatch_size = 11", "needs a batching window"),
            ("name = \"work\"\nbatching_window_seconds = 301", "expected 0 to 300"),
        ] {
            let queue: QueueSettings = toml::from_str(text).expect("a queue");
            let refused = check("f", &[queue]).err();
            let said = refused.map(|error| error.one_line()).unwrap_or_default();
            assert!(said.contains(problem) && said.is_empty() == problem.is_empty(), "{said}");
        }
        let queue: QueueSettings = toml::from_str(r#"name = "work""#).expect("a queue");
        let twice = check("f", &[queue.clone(), queue]).expect_err("a repeat").one_line();
        assert!(twice.contains("names queue `work` twice"), "{twice}");
    }
}
