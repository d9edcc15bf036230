//! Models: records that inference would be made of.

use serde_json::{Value, json};

use super::resource::{Resource, ResourceKind, Resources, page, seconds};
use crate::jobs::error::JobsError;
use crate::s3::now_ms;

/// Creates a model.
pub(crate) fn create(store: &Resources<'_>, request: Value) -> Result<Value, JobsError> {
    let name = request["ModelName"].as_str().unwrap_or_default().to_owned();
    let arn = ResourceKind::Model.arn(&name);
    if store.get(ResourceKind::Model, &name)?.is_some() {
        return Err(JobsError::Validation(format!(
            "Cannot create already existing model \"{arn}\"."
        )));
    }
    let (has_one, has_many) =
        (request["PrimaryContainer"].is_object(), request["Containers"].is_array());
    if has_one == has_many {
        return Err(JobsError::Validation(
            "A model has either a PrimaryContainer or Containers.".to_owned(),
        ));
    }
    let now = now_ms();
    let Value::Object(mut members) = request else { return Err(JobsError::not_found()) };
    members.entry("EnableNetworkIsolation").or_insert(false.into());
    let kind = ResourceKind::Model;
    store.put(&Resource { kind, name, members, created_ms: now, modified_ms: now })?;
    Ok(json!({ "ModelArn": arn }))
}

/// Describes a model.
pub(crate) fn describe(store: &Resources<'_>, request: &Value) -> Result<Value, JobsError> {
    let model = found(store, request)?;
    let mut members = model.members.clone();
    members.insert("ModelArn".to_owned(), model.arn().into());
    members.insert("CreationTime".to_owned(), seconds(model.created_ms));
    Ok(Value::Object(members))
}

/// Deletes a model.
pub(crate) fn delete(store: &Resources<'_>, request: &Value) -> Result<Value, JobsError> {
    store.delete(ResourceKind::Model, &found(store, request)?.name)?;
    Ok(json!({}))
}

/// Lists models, the newest first.
pub(crate) fn list(store: &Resources<'_>, request: &Value) -> Result<Value, JobsError> {
    page(store.all(ResourceKind::Model)?, request, "Models", true, |model| {
        json!({
            "ModelName": model.name,
            "ModelArn": model.arn(),
            "CreationTime": seconds(model.created_ms),
        })
    })
}

fn found(store: &Resources<'_>, request: &Value) -> Result<Resource, JobsError> {
    let name = request["ModelName"].as_str().unwrap_or_default();
    let missing = || {
        let arn = ResourceKind::Model.arn(name);
        JobsError::Validation(format!("Could not find model \"{arn}\"."))
    };
    store.get(ResourceKind::Model, name)?.ok_or_else(missing)
}
