//! Environment variables of functions: names that Lambda keeps for itself, and their size.

use serde_json::Value;

use super::problem::Problem;
use super::subject::Subject;

/// The names that Lambda sets itself and refuses
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
pub(crate) const RESERVED: [&str; 19] = [
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
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
];
/// Another name that Lambda keeps.
const RUNTIME_DIR: &str = "LAMBDA_RUNTIME_DIR";
/// The most bytes of all variables of a function, as Lambda counts them.
const BYTES: usize = 4_096;

pub(super) fn check(subject: &Subject<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (id, properties) in subject.of_type("AWS::Lambda::Function") {
        let function = subject.evaluator.name(id);
        let variables = &properties["Environment"]["Variables"];
        for name in variables.as_object().into_iter().flatten().map(|(name, _)| name) {
            problems.extend(problem(&function, name));
        }
        let bytes = match subject.evaluator.value(variables) {
            Value::Null => 0,
            variables => variables.to_string().len(),
        };
        if bytes > BYTES {
            let what = format!(
                "the environment variables of function `{function}` have {bytes} bytes: Lambda takes {BYTES}"
            );
            problems.push(Problem::error(what, "pass the URI of a document instead"));
        }
    }
    problems
}

fn problem(function: &str, name: &str) -> Option<Problem> {
    let of = format!("the environment variable `{name}` of function `{function}`");
    if RESERVED.contains(&name) || name == RUNTIME_DIR {
        let what = format!("{of} is one that Lambda sets itself");
        return Some(Problem::error(what, "choose another name"));
    }
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !begins || name.len() < 2 || !name.bytes().all(is_legal) {
        let what = format!(
            "{of} has no name that Lambda takes: expected a letter, then letters, digits or `_`, 2 characters or more"
        );
        return Some(Problem::error(what, "choose another name"));
    }
    None
}
