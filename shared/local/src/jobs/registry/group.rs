//! Groups of model packages.

use serde_json::{Value, json};

use super::resource::{Resource, ResourceKind, Resources, page, seconds};
use crate::jobs::error::JobsError;
use crate::s3::now_ms;

/// The member that counts the versions of a group. Versions are never used twice.
pub(super) const VERSIONS: &str = "sidestep:Versions";
const NAME: &str = "ModelPackageGroupName";

/// Creates a group.
pub(crate) fn create(store: &Resources<'_>, request: Value) -> Result<Value, JobsError> {
    let name = request[NAME].as_str().unwrap_or_default().to_owned();
    let arn = ResourceKind::Group.arn(&name);
    if store.get(ResourceKind::Group, &name)?.is_some() {
        return Err(JobsError::Validation(format!("Model Package Group already exists: {arn}")));
    }
    let now = now_ms();
    let Value::Object(members) = request else { return Err(JobsError::not_found()) };
    let kind = ResourceKind::Group;
    store.put(&Resource { kind, name, members, created_ms: now, modified_ms: now })?;
    Ok(json!({ "ModelPackageGroupArn": arn }))
}

/// Describes a group.
pub(crate) fn describe(store: &Resources<'_>, request: &Value) -> Result<Value, JobsError> {
    let group = found(store, request[NAME].as_str().unwrap_or_default())?;
    let mut members = group.members.clone();
    members.remove(VERSIONS);
    members.insert("ModelPackageGroupArn".to_owned(), group.arn().into());
    members.insert("ModelPackageGroupStatus".to_owned(), "Completed".into());
    members.insert("CreationTime".to_owned(), seconds(group.created_ms));
    members.insert("CreatedBy".to_owned(), json!({}));
    Ok(Value::Object(members))
}

/// Deletes a group that has no packages.
pub(crate) fn delete(store: &Resources<'_>, request: &Value) -> Result<Value, JobsError> {
    let group = found(store, request[NAME].as_str().unwrap_or_default())?;
    let packages = store.all(ResourceKind::Package)?;
    if packages.iter().any(|package| package.text(NAME) == group.name) {
        return Err(JobsError::Conflict(format!(
            "Model Package Group {} has model packages: delete them first.",
            group.name
        )));
    }
    store.delete(ResourceKind::Group, &group.name)?;
    Ok(json!({}))
}

/// Lists groups, the oldest first.
pub(crate) fn list(store: &Resources<'_>, request: &Value) -> Result<Value, JobsError> {
    page(store.all(ResourceKind::Group)?, request, "ModelPackageGroupSummaryList", false, |group| {
        json!({
            NAME: group.name,
            "ModelPackageGroupArn": group.arn(),
            "ModelPackageGroupDescription": group.text("ModelPackageGroupDescription"),
            "ModelPackageGroupStatus": "Completed",
            "CreationTime": seconds(group.created_ms),
        })
    })
}

/// Returns a group by its name or ARN.
pub(super) fn found(store: &Resources<'_>, text: &str) -> Result<Resource, JobsError> {
    let name = ResourceKind::Group.name(text);
    let missing = || {
        let arn = ResourceKind::Group.arn(name);
        JobsError::Validation(format!("ModelPackageGroup {arn} does not exist."))
    };
    store.get(ResourceKind::Group, name)?.ok_or_else(missing)
}
