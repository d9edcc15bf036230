//! Environment variables of functions: names that Lambda keeps for itself, and their size.

use serde_json::Value;

use super::problem::Problem;
use super::subject::Subject;
use crate::variable::{VARIABLE_BYTES, WrongName, wrong_name};

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
        if bytes > VARIABLE_BYTES {
            let what = format!(
                "the environment variables of function `{function}` have {bytes} bytes: Lambda takes {VARIABLE_BYTES}"
            );
            problems.push(Problem::error(what, "pass the URI of a document instead"));
        }
    }
    problems
}

fn problem(function: &str, name: &str) -> Option<Problem> {
    let of = format!("the environment variable `{name}` of function `{function}`");
    let what = match wrong_name(name)? {
        WrongName::Reserved => format!("{of} is one that Lambda sets itself"),
        WrongName::Characters => format!(
            "{of} has no name that Lambda takes: expected a letter, then letters, digits or `_`, 2 characters or more"
        ),
    };
    Some(Problem::error(what, "choose another name"))
}
