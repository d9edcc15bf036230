//! The direct road on AWS: what a step function needs to commit its result and to invoke the next
//! steps.

use serde_json::{Map, Value, json};
use sidestep_core::definition::StepKind;
use sidestep_core::definition::function_ref::FunctionRef;
use sidestep_core::plan::handoff::Handoff;

use crate::access::{Access, inputs_beside};
use crate::blueprint::{Blueprint, Function};
use crate::object::{bucket_arn, objects};
use crate::resource::{ARTIFACTS, allow, arn, invoked, one_or_many, reference, sub};

/// Returns true if the results of `function` take the direct road.
pub(crate) fn is_direct(blueprint: &Blueprint, function: &Function, access: &Access) -> bool {
    blueprint.options.handoff.is_direct() && function.has_sdk && !access.steps.is_empty()
}

/// Returns the variables that tell the step SDK to commit directly, and where.
pub(crate) fn environment(handoff: Handoff) -> Map<String, Value> {
    let artifacts = ARTIFACTS.rsplit(":::").next().unwrap_or_default();
    [
        ("SIDESTEP_HANDOFF", json!(handoff)),
        ("SIDESTEP_TABLE", reference("Table")),
        ("SIDESTEP_BUCKET", sub(artifacts)),
        ("SIDESTEP_ACCOUNT_ID", reference("AWS::AccountId")),
        ("SIDESTEP_REPORTS", reference("Reports")),
        ("SIDESTEP_STACK", reference("AWS::StackName")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

/// Returns the rights: executions, cache entries and its own pipelines' list in the table,
/// definitions, what plans of its pipelines look at, and the functions of its pipelines.
pub(crate) fn statements(blueprint: &Blueprint, access: &Access) -> Vec<Value> {
    let mut lists: Vec<_> = access.steps.iter().map(|(name, _)| format!("P#{name}")).collect();
    lists.dedup();
    let keys: Vec<_> = ["E#*", "K#*"].map(str::to_owned).into_iter().chain(lists).collect();
    let actions = [
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    ];
    let mut table = allow("Executions", &actions, &arn("Table"));
    table["Condition"] = json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": keys } });
    // Only the planner looks up whose invocation has ended.
    let mut requests = allow("Requests", &["dynamodb:PutItem"], &arn("Table"));
    requests["Condition"] =
        json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["R#*"] } });
    let definitions = sub(format!("{ARTIFACTS}/definitions/*"));
    let mut statements = vec![
        table,
        requests,
        allow("Definitions", &["s3:GetObject"], &definitions),
        allow(
            "Successors",
            &["lambda:InvokeFunction"],
            &one_or_many(successors(blueprint, access)),
        ),
    ];
    statements.extend(plans(blueprint, access));
    statements
}

/// Returns the rights to look at what decides the steps of its pipelines: their inputs, documents
/// of conditions, and artifacts of earlier results.
///
/// A step that lacks one leaves the decision to the planner, which takes seconds.
fn plans(blueprint: &Blueprint, access: &Access) -> Vec<Value> {
    let kept = ["runs", "batches"].map(|folder| sub(format!("{ARTIFACTS}/{folder}/*")));
    let inputs = inputs_beside(blueprint, access);
    let others = inputs.difference(&access.reads).map(|reach| objects(blueprint, reach));
    let objects: Vec<_> = kept.into_iter().chain(others).collect();
    let mut buckets: Vec<_> = inputs.iter().map(|reach| reach.bucket.as_str()).collect();
    buckets.dedup();
    let buckets = buckets.iter().map(|bucket| sub(bucket_arn(blueprint, bucket)));
    // Without it, S3 answers 403 for a missing object.
    let lists: Vec<_> = std::iter::once(sub(ARTIFACTS)).chain(buckets).collect();
    vec![
        allow("Plans", &["s3:GetObject"], &one_or_many(objects)),
        allow("PlansAbsence", &["s3:ListBucket"], &one_or_many(lists)),
    ]
}

/// Returns the functions that the function may invoke: all of its pipelines.
///
/// Any step can come next, because under `MaxParallelExecutionSteps` any waiting step may take a
/// free slot.
fn successors(blueprint: &Blueprint, access: &Access) -> Vec<Value> {
    let mut functions: Vec<&FunctionRef> = Vec::new();
    for (name, _) in &access.steps {
        let Some(pipeline_use) = blueprint.pipelines.get(name) else { continue };
        for step in &pipeline_use.pipeline.steps {
            if let StepKind::Lambda(lambda) = &step.kind {
                functions.push(&lambda.function_arn);
            }
        }
    }
    functions.sort_unstable();
    functions.dedup();
    let versions = functions.into_iter().map(|function| match function {
        FunctionRef::Named(name) => sub(format!(
            "arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:${{AWS::StackName}}-{name}:*"
        )),
        FunctionRef::Arn(arn) => json!(invoked(arn.as_str())),
    });
    versions.collect()
}
