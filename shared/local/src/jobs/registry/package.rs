//! Model packages: versions of a model in a group, with their approval.

use serde_json::{Value, json};

use super::group::{self, VERSIONS};
use super::resource::{Resource, ResourceKind, Resources, page, seconds};
use crate::jobs::error::JobsError;
use crate::s3::now_ms;

const GROUP: &str = "ModelPackageGroupName";
const VERSION: &str = "ModelPackageVersion";
const APPROVAL: &str = "ModelApprovalStatus";
const METADATA: &str = "CustomerMetadataProperties";
const TOKEN: &str = "ClientToken";

/// Creates the next version in a group, or a package with a name of its own.
///
/// With the `ClientToken` of an earlier request it returns that one's package.
pub(crate) fn create(store: &Resources<'_>, request: Value) -> Result<Value, JobsError> {
    let kind = ResourceKind::Package;
    let Value::Object(mut members) = request else { return Err(JobsError::not_found()) };
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(token) = text(TOKEN) {
        let all = store.all(kind)?;
        if let Some(same) = all.iter().find(|package| package.text(TOKEN) == token) {
            return Ok(json!({ "ModelPackageArn": same.arn() }));
        }
    }
    let now = now_ms();
    let name = match (text(GROUP), text("ModelPackageName")) {
        (Some(group), None) => {
            let mut group = group::found(store, &group)?;
            let version =
                group.members.get(VERSIONS).and_then(Value::as_u64).unwrap_or_default() + 1;
            group.members.insert(VERSIONS.to_owned(), version.into());
            store.put(&group)?;
            members.insert(GROUP.to_owned(), group.name.clone().into());
            members.insert(VERSION.to_owned(), version.into());
            members.entry(APPROVAL).or_insert("PendingManualApproval".into());
            format!("{}/{version}", group.name)
        }
        (None, Some(name)) => {
            if store.get(kind, &name)?.is_some() {
                let arn = kind.arn(&name);
                return Err(JobsError::Validation(format!("Model Package already exists: {arn}")));
            }
            name
        }
        _ => {
            return Err(JobsError::Validation(
                "A model package has either a ModelPackageGroupName or a ModelPackageName."
                    .to_owned(),
            ));
        }
    };
    let arn = kind.arn(&name);
    store.put(&Resource { kind, name, members, created_ms: now, modified_ms: now })?;
    Ok(json!({ "ModelPackageArn": arn }))
}

/// Describes a package by its ARN or name.
pub(crate) fn describe(store: &Resources<'_>, request: &Value) -> Result<Value, JobsError> {
    let package = found(store, request["ModelPackageName"].as_str().unwrap_or_default())?;
    let mut members = package.members.clone();
    members.remove(TOKEN);
    for (name, value) in [
        ("ModelPackageName", package.name.clone().into()),
        ("ModelPackageArn", package.arn().into()),
        ("ModelPackageStatus", "Completed".into()),
        ("ModelPackageStatusDetails", json!({ "ValidationStatuses": [], "ImageScanStatuses": [] })),
        ("CreationTime", seconds(package.created_ms)),
        ("LastModifiedTime", seconds(package.modified_ms)),
    ] {
        members.insert(name.to_owned(), value);
    }
    Ok(Value::Object(members))
}

/// Changes the approval and the metadata of a package.
pub(crate) fn update(store: &Resources<'_>, request: &Value) -> Result<Value, JobsError> {
    let mut package = found(store, request["ModelPackageArn"].as_str().unwrap_or_default())?;
    for (name, value) in request.as_object().into_iter().flatten() {
        match name.as_str() {
            "ModelPackageArn" => {}
            "CustomerMetadataPropertiesToRemove" => {
                let kept = package.members.get_mut(METADATA).and_then(Value::as_object_mut);
                if let (Some(kept), Some(names)) = (kept, value.as_array()) {
                    kept.retain(|name, _| !names.iter().any(|one| one == name.as_str()));
                }
            }
            METADATA => {
                let kept = package.members.entry(METADATA).or_insert(json!({}));
                if let (Some(kept), Some(new)) = (kept.as_object_mut(), value.as_object()) {
                    kept.extend(new.clone());
                }
            }
            _ => drop(package.members.insert(name.clone(), value.clone())),
        }
    }
    package.modified_ms = now_ms();
    store.put(&package)?;
    Ok(json!({ "ModelPackageArn": package.arn() }))
}

/// Deletes a package.
pub(crate) fn delete(store: &Resources<'_>, request: &Value) -> Result<Value, JobsError> {
    let package = found(store, request["ModelPackageName"].as_str().unwrap_or_default())?;
    store.delete(ResourceKind::Package, &package.name)?;
    Ok(json!({}))
}

/// Lists the versions of a group, or packages without one, the oldest first.
pub(crate) fn list(store: &Resources<'_>, request: &Value) -> Result<Value, JobsError> {
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let (group, approval) = (ResourceKind::Group.name(text(GROUP)), text(APPROVAL));
    let mut packages = store.all(ResourceKind::Package)?;
    packages.retain(|package| {
        let own = package.text(GROUP);
        let is_of_type = match text("ModelPackageType") {
            "Both" => true,
            "Versioned" => !own.is_empty(),
            _ => own.is_empty() || !group.is_empty(),
        };
        is_of_type
            && (group.is_empty() || own == group)
            && (approval.is_empty() || package.text(APPROVAL) == approval)
    });
    page(packages, request, "ModelPackageSummaryList", false, |package| {
        let mut row = json!({
            "ModelPackageArn": package.arn(),
            "ModelPackageStatus": "Completed",
            "CreationTime": seconds(package.created_ms),
        });
        for name in [GROUP, VERSION, APPROVAL, "ModelPackageDescription"] {
            if let Some(value) = package.members.get(name) {
                row[name] = value.clone();
            }
        }
        row
    })
}

fn found(store: &Resources<'_>, text: &str) -> Result<Resource, JobsError> {
    let name = ResourceKind::Package.name(text);
    let missing = || {
        let arn = ResourceKind::Package.arn(name);
        JobsError::Validation(format!("ModelPackage {arn} does not exist."))
    };
    store.get(ResourceKind::Package, name)?.ok_or_else(missing)
}
