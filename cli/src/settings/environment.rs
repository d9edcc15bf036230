//! The variables of a function, by Lambda's rules.

use std::collections::BTreeMap;

use crate::output::error::{CommandError, user};

/// The names that Lambda sets itself
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
const RESERVED: [&str; 20] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// The bytes that the names and values of one function may have (quota of Lambda).
const BYTES: usize = 4_096;

/// Refuses the first variable that Lambda would refuse.
pub(super) fn check(
    function: &str,
    environment: &BTreeMap<String, String>,
) -> Result<(), CommandError> {
    let place = format!("functions.{function}.environment");
    for name in environment.keys() {
        if RESERVED.contains(&name.as_str()) {
            let problem = format!("invalid `{place}`: Lambda sets `{name}` itself");
            return Err(user(problem).hint("remove the variable, or give it another name"));
        }
        if !is_legal(name) {
            return Err(user(format!(
                "invalid name `{name}` in `{place}`: expected `[a-zA-Z][a-zA-Z0-9_]+`, as on Lambda"
            )));
        }
    }
    let bytes: usize = environment.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > BYTES {
        let problem = format!("`{place}` has {bytes} bytes, over Lambda's limit of {BYTES}");
        return Err(user(problem).hint("put what is large into a file of the function"));
    }
    Ok(())
}

fn is_legal(name: &str) -> bool {
    let is_rest = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() > 1
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(is_rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_follow_the_rules_of_lambda() {
        let long = "x".repeat(BYTES);
        for (name, value, problem) in [
            ("AB", "", ""),
            ("TZ", "Europe/Berlin", ""),
            ("PYTHONPATH", "lib", ""),
            ("AWS_REGION", "eu-west-1", "Lambda sets `AWS_REGION` itself"),
            ("_HANDLER", "x", "Lambda sets `_HANDLER` itself"),
            ("A-b", "x", "invalid name `A-b`"),
            ("1A", "x", "invalid name `1A`"),
            ("A", "x", "invalid name `A`"),
            ("_A", "x", "invalid name `_A`"),
            ("LONG", long.as_str(), "has 4100 bytes, over Lambda's limit of 4096"),
        ] {
            let environment = [(name.to_owned(), value.to_owned())].into();
            let refused = check("f", &environment).err();
            let said = refused.map(|error| format!("{error:?}")).unwrap_or_default();
            assert!(said.contains(problem) && said.is_empty() == problem.is_empty(), "{said}");
        }
    }
}
