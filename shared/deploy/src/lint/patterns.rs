//! Patterns in policies: a `*` matches `/` too, so one in the middle lets through what was not
//! meant.

use serde_json::Value;

use super::problem::Problem;
use super::subject::Subject;

/// Statements in which a `*` in the middle is meant: the planner writes the manifests and the marks
/// of every step.
const MEANT: [&str; 2] = ["Manifests", "Starts"];

pub(super) fn check(subject: &Subject<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (id, resource) in subject.resources {
        let kind = resource["Type"].as_str().unwrap_or_default();
        if kind.starts_with("AWS::IAM::") {
            walk(subject, id, &resource["Properties"], &mut problems);
        }
    }
    problems
}

fn walk(subject: &Subject<'_>, id: &str, value: &Value, problems: &mut Vec<Problem>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_array().filter(|_| name == "Statement") {
                    Some(statements) => problems
                        .extend(statements.iter().flat_map(|one| statement(subject, id, one))),
                    None => walk(subject, id, member, problems),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|one| walk(subject, id, one, problems)),
        _ => {}
    }
}

fn statement(subject: &Subject<'_>, id: &str, statement: &Value) -> Vec<Problem> {
    let sid = statement["Sid"].as_str().unwrap_or_default();
    if statement["Effect"] == "Deny" {
        return Vec::new();
    }
    let texts = |value: &Value| -> Vec<String> {
        match subject.evaluator.value(value) {
            Value::String(text) => vec![text],
            Value::Array(values) => {
                values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    };
    let mut problems = Vec::new();
    for action in texts(&statement["Action"]).iter().filter(|action| action.contains('*')) {
        let what = format!("statement `{sid}` of `{id}` allows every `{action}`");
        problems.push(Problem::error(what, "this is a mistake in sidestep: please report it"));
    }
    for resource in texts(&statement["Resource"]) {
        let path = resource.splitn(6, ':').nth(5).unwrap_or_default();
        // The last `*` stands for the rest. One before it, or in a bucket's name, does not.
        let inner = path.trim_end_matches('*');
        if inner.contains('*') && !MEANT.contains(&sid) {
            let what = format!(
                "statement `{sid}` of `{id}` allows `{resource}`, whose `*` also matches `/`"
            );
            problems.push(Problem::error(what, "name whole prefixes in `reads` and `writes`"));
        }
    }
    problems
}
