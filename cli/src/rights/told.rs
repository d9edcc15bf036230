//! Tells the user what a role does not allow, once.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex};

use sidestep_deploy::iam::Request;
use sidestep_local::deployment::ARTIFACT_BUCKET;
use sidestep_local::guard::{Asked, Caller};

use super::advice::{advice, object_of};
use super::roles::{Denial, role_id};
use crate::output::printable::Printable;
use crate::project::Project;
use crate::settings::RightsSettings;

/// The callers, actions and kinds of resources that this process has told of.
static TOLD: LazyLock<Mutex<BTreeSet<(Caller, String, String)>>> = LazyLock::new(Mutex::default);

/// How many kinds are told at most.
const KINDS: usize = 200;

/// Prints who may not do what, the statement that is missing, and what to do. The second time for
/// the same kind of resource it prints nothing.
pub(super) fn tell(
    mode: RightsSettings,
    project: &Project,
    caller: &Caller,
    asked: &Asked,
    denial: &Denial,
) {
    let kind = (caller.clone(), asked.action.clone(), kind(asked));
    let is_new = TOLD.lock().is_ok_and(|mut told| told.len() < KINDS && told.insert(kind));
    if !is_new {
        return;
    }
    let (who, role) = (name_of(caller), role_id(caller));
    let (action, what) = (&asked.action, what(asked));
    let why = match denial {
        Denial::By(statement) => format!("{statement} denies it"),
        Denial::Missing => format!("no statement of `{role}` allows it"),
    };
    let begin = match mode {
        RightsSettings::Enforce => "warning: refused:",
        _ => "warning: on AWS,",
    };
    eprintln!("{begin} {who} may not {action} on {}: {why}", Printable(&what));
    if *denial == Denial::Missing {
        eprintln!("  missing: {}", Printable(&statement(asked)));
    }
    eprintln!("hint: {}", Printable(&advice(project, caller, asked)));
}

fn name_of(caller: &Caller) -> String {
    match caller {
        Caller::Function(name) => format!("function `{name}`"),
        Caller::Planner => "the planner".to_owned(),
        Caller::Trigger => "the trigger".to_owned(),
        Caller::Ended => "a process that a function left behind".to_owned(),
    }
}

/// Returns the resource as users know it.
fn what(asked: &Asked) -> String {
    let Asked { resource, context, .. } = asked;
    let short = resource.splitn(6, ':').nth(5).unwrap_or(resource);
    if let Some((bucket, key)) = object_of(asked) {
        return format!("`s3://{bucket}/{key}`");
    }
    match context.get("dynamodb:LeadingKeys") {
        Some(keys) if !keys.is_empty() => format!("`{short}`, partition `{}`", keys.join("`, `")),
        _ => format!("`{short}`"),
    }
}

/// Returns the smallest statement that would allow it, with the names of the embedded cloud.
fn statement(asked: &Asked) -> String {
    let request = asked.context.iter().fold(
        Request::new(&asked.action, &asked.resource),
        |request, (key, values)| {
            request.with(key, &values.iter().map(String::as_str).collect::<Vec<_>>())
        },
    );
    request.statement().to_string()
}

/// Returns what resources of one kind have in common: the folder of an object, the pipeline of an
/// artifact, the sort of a partition, a function without its version.
fn kind(asked: &Asked) -> String {
    if let Some((bucket, key)) = object_of(asked) {
        let folder = if bucket == ARTIFACT_BUCKET {
            key.split('/').take(2).collect::<Vec<_>>().join("/")
        } else {
            key.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned())
        };
        return format!("{bucket}/{folder}");
    }
    if let Some(keys) = asked.context.get("dynamodb:LeadingKeys") {
        let sort = |key: &String| key.split('#').next().unwrap_or_default().to_owned();
        let sorts: BTreeSet<_> = keys.iter().map(sort).collect();
        return format!("{} {sorts:?}", asked.resource);
    }
    asked.resource.splitn(8, ':').take(7).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_one_kind_are_told_once() {
        let object = |key: &str| Asked::new("s3:GetObject", format!("arn:aws:s3:::{key}"));
        let function = |version: &str| {
            Asked::new("lambda:InvokeFunction", format!("arn:aws:lambda:r:1:function:f{version}"))
        };
        let item = |key: &str| {
            let mut asked = Asked::new("dynamodb:GetItem", "arn:aws:dynamodb:r:1:table/t");
            asked.context.insert("dynamodb:LeadingKeys", vec![key.to_owned()]);
            asked
        };
        for (one, other, is_same) in [
            (object("b/in/1"), object("b/in/2"), true),
            (object("b/in/1"), object("b/out/1"), false),
            (object("b/1"), object("c/1"), false),
            (
                object("sidestep-artifacts/runs/p/e1/A/1/x"),
                object("sidestep-artifacts/runs/p/e2/B/1/y"),
                true,
            ),
            (object("sidestep-artifacts/runs/p/e1"), object("sidestep-artifacts/runs/q/e1"), false),
            (function(":1"), function(":2"), true),
            (item("E#1"), item("E#2"), true),
            (item("E#1"), item("K#1"), false),
        ] {
            assert_eq!(kind(&one) == kind(&other), is_same, "{one:?} {other:?}");
        }
    }
}
