//! The tags of jobs and of what is in the registry.

use serde_json::{Value, json};

use super::call::Call;
use super::error::JobsError;
use super::kind::JobKind;
use super::registry::ResourceKind;
use super::request::tags_of;
use super::store::Store;

/// Answers an operation on tags.
pub(crate) fn tags(store: &Store, call: &Call, request: &Value) -> Result<Value, JobsError> {
    let arn = request["ResourceArn"].as_str().unwrap_or_default();
    let exists = JobKind::ALL.into_iter().find_map(|kind| {
        let name = arn.strip_prefix(&kind.arn(""))?;
        Some(store.get(kind, name))
    });
    let registered = ResourceKind::ALL.into_iter().find_map(|kind| {
        let name = arn.strip_prefix(&kind.arn(""))?;
        Some(store.resources().get(kind, name))
    });
    if exists.transpose()?.flatten().is_none() && registered.transpose()?.flatten().is_none() {
        return Err(JobsError::not_found());
    }
    match call {
        Call::AddTags => store.add_tags(arn, &tags_of(request.get("Tags"))?)?,
        Call::DeleteTags => {
            let named = request["TagKeys"].as_array().into_iter().flatten();
            let keys: Vec<_> = named.filter_map(|key| Some(key.as_str()?.to_owned())).collect();
            store.delete_tags(arn, &keys)?;
            return Ok(json!({}));
        }
        _ => {}
    }
    let kept = store.tags(arn)?;
    let tags = kept.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
    Ok(json!({ "Tags": tags.collect::<Value>() }))
}
