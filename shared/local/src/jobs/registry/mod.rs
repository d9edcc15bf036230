//! The local registry: models, and groups of model packages with versions and approvals.

mod group;
mod model;
mod package;
mod resource;

use serde_json::Value;

use super::error::JobsError;

pub(crate) use resource::{ResourceKind, Resources};

/// The operations of the registry.
const OPERATIONS: [&str; 13] = [
    "CreateModel",
    "CreateModelPackage",
    "CreateModelPackageGroup",
    "DeleteModel",
    "DeleteModelPackage",
    "DeleteModelPackageGroup",
    "DescribeModel",
    "DescribeModelPackage",
    "DescribeModelPackageGroup",
    "ListModelPackageGroups",
    "ListModelPackages",
    "ListModels",
    "UpdateModelPackage",
];

/// Returns the name of the operation, if the registry has it.
pub(crate) fn operation(name: &str) -> Option<&'static str> {
    OPERATIONS.into_iter().find(|operation| *operation == name)
}

/// Performs an operation on a request that fits the model.
pub(crate) fn perform(
    store: &Resources<'_>,
    operation: &str,
    request: Value,
) -> Result<Value, JobsError> {
    match operation {
        "CreateModel" => model::create(store, request),
        "DescribeModel" => model::describe(store, &request),
        "DeleteModel" => model::delete(store, &request),
        "ListModels" => model::list(store, &request),
        "CreateModelPackageGroup" => group::create(store, request),
        "DescribeModelPackageGroup" => group::describe(store, &request),
        "DeleteModelPackageGroup" => group::delete(store, &request),
        "ListModelPackageGroups" => group::list(store, &request),
        "CreateModelPackage" => package::create(store, request),
        "DescribeModelPackage" => package::describe(store, &request),
        "DeleteModelPackage" => package::delete(store, &request),
        "ListModelPackages" => package::list(store, &request),
        _ => package::update(store, &request),
    }
}

/// Returns the ARN of what a create operation made.
pub(crate) fn created_arn(answer: &Value) -> Option<&str> {
    let names = ["ModelArn", "ModelPackageArn", "ModelPackageGroupArn"];
    names.iter().find_map(|name| answer[*name].as_str())
}

/// Returns the places in S3 that a request says models are at.
pub(crate) fn model_data(request: &Value) -> Vec<String> {
    let containers = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let mut all = vec![request["PrimaryContainer"].clone()];
    all.extend(containers(&request["Containers"]));
    all.extend(containers(&request["InferenceSpecification"]["Containers"]));
    let uri = |container: &Value| container["ModelDataUrl"].as_str().map(str::to_owned);
    all.iter().filter_map(uri).filter(|uri| uri.starts_with("s3://")).collect()
}
