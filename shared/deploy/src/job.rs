//! What a stack needs for job steps: the rights to make their jobs, and the events of their ends.
//!
//! Only the job function calls the service. It may make, see and stop jobs by the names that steps
//! get, and pass the roles that the definitions name, to SageMaker alone.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sidestep_core::definition::JobStep;
use sidestep_core::definition::expression::{Expression, UNKNOWN};
use sidestep_core::job::JobType;
use sidestep_core::job::kind::FINAL_STATUSES;
use sidestep_core::job::name::PREFIX;

use crate::blueprint::{Blueprint, PipelineUse};
use crate::resource::{Resources, allow, arn, one_or_many, reference, sub};

/// The job function's ARN, spelled out: a reference would make it and its policy wait for each
/// other.
pub(crate) const FUNCTION: &str =
    "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-job";

/// A job step of the project, with the pipeline it belongs to.
struct Used<'b> {
    kind: JobType,
    job: &'b JobStep,
    pipeline_use: &'b PipelineUse,
}

/// Returns true if any pipeline has a job step.
pub fn has_jobs(blueprint: &Blueprint) -> bool {
    used(blueprint).next().is_some()
}

fn used(blueprint: &Blueprint) -> impl Iterator<Item = Used<'_>> {
    blueprint.pipelines.values().flat_map(|pipeline_use| {
        pipeline_use.pipeline.jobs().filter_map(move |(_, job)| {
            Some(Used { kind: JobType::of(job.step_type)?, job, pipeline_use })
        })
    })
}

/// Adds the rules for the ends of jobs, and the rights of the job function.
pub(crate) fn add(resources: &mut Resources, blueprint: &Blueprint) {
    let kinds = kinds(blueprint);
    if kinds.is_empty() {
        return;
    }
    resources.begin("the jobs");
    for kind in &kinds {
        let Some(event) = kind.event else { continue };
        let id = format!("{}Ends", kind.metadata);
        resources.insert(id.clone(), rule(kind, event));
        let permission = json!({
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": reference("Jobs"),
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": arn(&id),
            },
        });
        resources.insert(format!("{id}Permission"), permission);
    }
    resources.insert(
        "JobsPolicy".to_owned(),
        json!({
            "Type": "AWS::IAM::Policy",
            "Properties": {
                "PolicyName": "service",
                "Roles": [reference("JobsRole")],
                "PolicyDocument": crate::resource::document(&statements(blueprint, &kinds)),
            },
        }),
    );
}

fn kinds(blueprint: &Blueprint) -> Vec<JobType> {
    let used: BTreeSet<_> = used(blueprint).map(|used| used.kind.step_type).collect();
    JobType::ALL.into_iter().filter(|kind| used.contains(&kind.step_type)).collect()
}

/// Returns the rule for the ends of one type of job. The service tells of every state, several
/// times.
fn rule(kind: &JobType, event: &str) -> Value {
    json!({
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Description": format!("Ends of jobs of {} steps", kind.step_type),
            "EventPattern": {
                "source": ["aws.sagemaker"],
                "detail-type": [event],
                "account": [reference("AWS::AccountId")],
                "detail": { kind.status_member: FINAL_STATUSES },
            },
            "Targets": [{ "Id": "jobs", "Arn": arn("Jobs") }],
        },
    })
}

fn statements(blueprint: &Blueprint, kinds: &[JobType]) -> Vec<Value> {
    let mut statements: Vec<_> = kinds
        .iter()
        .map(|kind| {
            let names: BTreeSet<_> = used(blueprint)
                .filter(|used| used.kind == *kind)
                .map(|used| names(&used))
                .collect();
            let jobs = names.iter().map(|name| {
            sub(format!(
                "arn:${{AWS::Partition}}:sagemaker:${{AWS::Region}}:${{AWS::AccountId}}:{}/{name}",
                kind.arn_resource
            ))
        });
            let operations = [Some(kind.create), Some(kind.describe), kind.stop, Some("AddTags")];
            let actions: Vec<_> =
                operations.into_iter().flatten().map(|name| format!("sagemaker:{name}")).collect();
            let texts: Vec<_> = actions.iter().map(String::as_str).collect();
            allow(kind.metadata, &texts, &one_or_many(jobs.collect()))
        })
        .collect();
    let roles: BTreeSet<_> = used(blueprint).filter_map(|used| role(&used)).collect();
    if !roles.is_empty() {
        let roles = roles.into_iter().map(sub).collect();
        let mut pass = allow("Roles", &["iam:PassRole"], &one_or_many(roles));
        pass["Condition"] =
            json!({ "StringEquals": { "iam:PassedToService": "sagemaker.amazonaws.com" } });
        statements.push(pass);
    }
    statements
}

/// Returns the pattern of the names of a step's jobs. The service has them in lower case in ARNs.
fn names(used: &Used<'_>) -> String {
    let prefix = match &used.job.arguments {
        Expression::Object(members) => members.get(used.kind.name_member).cloned(),
        Expression::Literal(Value::Object(members)) => {
            members.get(used.kind.name_member).cloned().map(Expression::Literal)
        }
        _ => None,
    };
    match prefix {
        None => format!("{PREFIX}-*"),
        Some(Expression::Literal(Value::String(text))) if !text.is_empty() => {
            let cut: String = text.chars().take(20).collect();
            let part =
                |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '?' };
            let pattern: String = cut.chars().map(part).collect();
            format!("{}*", pattern.trim_matches('?'))
        }
        Some(_) => "*".to_owned(),
    }
}

/// Returns the role that a step's job gets, as far as it is known before an execution: a parameter
/// by its default, and anything else as any role of the account.
fn role(used: &Used<'_>) -> Option<String> {
    let member = used.kind.role_member?;
    let parameters = used.pipeline_use.pipeline.parameters.iter();
    let defaults = parameters
        .filter_map(|parameter| Some((parameter.name.to_string(), parameter.default.clone()?)))
        .collect();
    let likely = used.job.arguments.likely(&defaults);
    let text = likely.get(member)?.as_str()?.to_owned();
    let any = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*";
    Some(if text.contains(UNKNOWN) || !text.starts_with("arn:") { any.to_owned() } else { text })
}

/// Lets the planner and the trigger call the job function, and tells all three who it is.
pub(crate) fn configure(resources: &mut Map<String, Value>, blueprint: &Blueprint) {
    if !has_jobs(blueprint) {
        return;
    }
    for id in ["Planner", "Trigger", "Jobs"] {
        resources[id]["Properties"]["Environment"]["Variables"]["SIDESTEP_JOBS"] = sub(FUNCTION);
    }
    let policy = &mut resources["EnginePolicy"]["Properties"];
    if let Some(Value::Array(roles)) = policy.get_mut("Roles") {
        roles.push(reference("JobsRole"));
    }
    if let Some(Value::Array(statements)) = policy["PolicyDocument"].get_mut("Statement") {
        statements.push(allow("Jobs", &["lambda:InvokeFunction"], &sub(FUNCTION)));
    }
}
