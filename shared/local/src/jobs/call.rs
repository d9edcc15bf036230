//! The operations that the service answers.

use serde_json::Value;

use super::kind::JobKind;
use super::registry::{self, ResourceKind};

/// The operations on a job, by what precedes or follows the noun.
const OF_A_JOB: [&str; 4] = ["Create", "Describe", "Stop", "Delete"];
/// The operations on the tags of any resource.
const OF_TAGS: [&str; 3] = ["AddTags", "DeleteTags", "ListTags"];

/// An operation that this service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Create(JobKind),
    Describe(JobKind),
    Stop(JobKind),
    Delete(JobKind),
    List(JobKind),
    AddTags,
    DeleteTags,
    ListTags,
    /// An operation of the registry.
    Registry(&'static str),
}

impl Call {
    /// Finds the operation by its name; those on tags by the resource that the request names.
    pub(crate) fn parse(operation: &str, request: Option<&Value>) -> Option<Self> {
        if OF_TAGS.contains(&operation) {
            let arn = request.and_then(|request| request["ResourceArn"].as_str())?;
            let of_job = JobKind::ALL.iter().any(|kind| arn.starts_with(&kind.arn("")));
            let of_registry = ResourceKind::ALL.iter().any(|kind| arn.starts_with(&kind.arn("")));
            if !of_job && !of_registry {
                return None;
            }
            return Some(match operation {
                "AddTags" => Self::AddTags,
                "DeleteTags" => Self::DeleteTags,
                _ => Self::ListTags,
            });
        }
        if let Some(operation) = registry::operation(operation) {
            return Some(Self::Registry(operation));
        }
        JobKind::ALL.into_iter().find_map(|kind| {
            if operation == format!("List{}s", kind.noun()) {
                return Some(Self::List(kind));
            }
            let verb = OF_A_JOB.into_iter().find(|verb| {
                operation.strip_prefix(verb).is_some_and(|noun| noun == kind.noun())
            })?;
            Some(match verb {
                "Create" => Self::Create(kind),
                "Describe" => Self::Describe(kind),
                "Stop" => Self::Stop(kind),
                _ => Self::Delete(kind),
            })
        })
    }
}
