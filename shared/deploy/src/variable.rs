//! Environment variables of functions, by Lambda's rules.

/// The names that Lambda sets itself and refuses
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
const RESERVED: [&str; 21] = [
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
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// The most bytes of all variables of a function.
pub const VARIABLE_BYTES: usize = 4_096;

/// Why Lambda refuses a variable's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongName {
    /// Lambda sets the variable itself.
    Reserved,
    /// Other characters than `[a-zA-Z][a-zA-Z0-9_]+`.
    Characters,
}

/// Returns why Lambda refuses the name, or `None` if it takes it.
pub fn wrong_name(name: &str) -> Option<WrongName> {
    if RESERVED.contains(&name) {
        return Some(WrongName::Reserved);
    }
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_rest = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_legal = begins && name.len() > 1 && name.bytes().all(is_rest);
    (!is_legal).then_some(WrongName::Characters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_refused_as_lambda_refuses_it() {
        let (reserved, characters) = (Some(WrongName::Reserved), Some(WrongName::Characters));
        for (name, why) in [
            ("AB", None),
            ("TZ", None),
            ("PYTHONPATH", None),
            ("AWS_XRAY_DAEMON_ADDRESS", None),
            ("AWS_REGION", reserved),
            ("AWS_SECURITY_TOKEN", reserved),
            ("LAMBDA_RUNTIME_DIR", reserved),
            ("_HANDLER", reserved),
            ("_A", characters),
            ("A-b", characters),
            ("1A", characters),
            ("A", characters),
            ("", characters),
        ] {
            assert_eq!(wrong_name(name), why, "{name}");
        }
    }
}
