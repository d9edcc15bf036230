//! What a user can do about a missing permission.

use sidestep_local::deployment::ARTIFACT_BUCKET;
use sidestep_local::guard::{Asked, Caller};

use crate::project::Project;

/// Returns the bucket and the key, or the prefix, that a request to S3 is about.
pub(super) fn object_of(asked: &Asked) -> Option<(&str, &str)> {
    let named = asked.resource.strip_prefix("arn:aws:s3:::")?;
    let prefix = asked.context.get("s3:prefix").and_then(|prefixes| prefixes.first());
    let listed = || (named, prefix.map_or("", String::as_str));
    Some(named.split_once('/').unwrap_or_else(listed))
}

/// Returns which setting or which change of the definition would allow the request.
pub(super) fn advice(project: &Project, caller: &Caller, asked: &Asked) -> String {
    match caller {
        Caller::Function(name) => of_function(project, name, asked),
        Caller::Ended => "end the function's processes before it answers".to_owned(),
        Caller::Planner | Caller::Trigger => of_planner(project, asked),
    }
}

fn of_function(project: &Project, name: &str, asked: &Asked) -> String {
    let (service, action) = asked.action.split_once(':').unwrap_or_default();
    let none = "no setting of `sidestep.toml` allows it, so let a step do without it".to_owned();
    match (service, object_of(asked)) {
        ("s3", Some((bucket, key))) => {
            if let Some(hint) = not_listed(project, bucket, key) {
                return hint;
            }
            let does_read = action.starts_with("GetObject") || action == "ListBucket";
            let does_write = action == "PutObject" || action == "AbortMultipartUpload";
            match (bucket, does_read, does_write) {
                (ARTIFACT_BUCKET, true, _) => {
                    "a step may read artifacts if one of its arguments is another step's output"
                        .to_owned()
                }
                (ARTIFACT_BUCKET, _, true) => {
                    "a step may write below the prefix that its event names, and what `writes` lists"
                        .to_owned()
                }
                (_, true, _) => format!(
                    "add `reads = [\"s3://{bucket}/{key}\"]` to `[functions.{name}]`, or name the place in the step's arguments"
                ),
                (_, _, true) => {
                    format!("add `writes = [\"s3://{bucket}/{key}\"]` to `[functions.{name}]`")
                }
                _ => none,
            }
        }
        ("sqs", _) if action == "SendMessage" => {
            "no setting allows it: let a Callback step send the message".to_owned()
        }
        ("lambda", _) => {
            "a step may not reach functions: let another step of the pipeline run that one".to_owned()
        }
        ("dynamodb", _) => {
            "only functions with a step SDK reach the table, with `handoff = \"direct\"` in `[engine]`, and only items of executions and of the cache"
                .to_owned()
        }
        _ => none,
    }
}

fn of_planner(project: &Project, asked: &Asked) -> String {
    let (service, _) = asked.action.split_once(':').unwrap_or_default();
    let in_place =
        "in a step's arguments, in a default of a parameter, or in `reads` of its function";
    match (service, object_of(asked)) {
        ("s3", Some((bucket, key))) => not_listed(project, bucket, key)
            .unwrap_or_else(|| format!("name `s3://{bucket}/{key}` {in_place}")),
        ("sqs", _) => {
            "name the queue in the definition, or as the default of its parameter".to_owned()
        }
        ("lambda", _) => "add the function to `sidestep.toml`".to_owned(),
        _ => "this is a defect of sidestep: please report it".to_owned(),
    }
}

/// Returns the advice for a result of a pipeline that the project does not list.
fn not_listed(project: &Project, bucket: &str, key: &str) -> Option<String> {
    let pipeline = key.strip_prefix("runs/").filter(|_| bucket == ARTIFACT_BUCKET)?;
    let name = pipeline.split('/').next().unwrap_or_default();
    let is_listed = project.settings.pipelines.contains_key(name);
    (!is_listed && !name.is_empty()).then(|| {
        format!(
            "add `[pipelines.{name}]` to `sidestep.toml`: roles are made for the pipelines there"
        )
    })
}
