//! Small pieces that many resources are made of.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The artifact bucket's ARN, spelled out: a reference would make bucket and functions wait for
/// each other.
pub(crate) const ARTIFACTS: &str =
    "arn:${AWS::Partition}:s3:::${AWS::StackName}-artifacts-${AWS::AccountId}-${AWS::Region}";

/// Returns `Fn::Sub` if the text has something to substitute, else the text.
pub(crate) fn sub(text: impl Into<String>) -> Value {
    let text = text.into();
    if text.contains("${") { json!({ "Fn::Sub": text }) } else { Value::String(text) }
}

/// Returns the resource's ARN.
pub(crate) fn arn(id: &str) -> Value {
    json!({ "Fn::GetAtt": [id, "Arn"] })
}

/// Returns a reference to a resource or a parameter.
pub(crate) fn reference(id: &str) -> Value {
    json!({ "Ref": id })
}

/// Returns a statement that allows actions on a resource.
pub(crate) fn allow(sid: &str, actions: &[&str], resource: &Value) -> Value {
    let action = if let [one] = actions { json!(one) } else { json!(actions) };
    json!({ "Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource })
}

/// Returns the policy that lets a service of AWS assume a role.
pub(crate) fn assumed_by(service: &str, condition: Option<Value>) -> Value {
    let mut statement = json!({
        "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole"
    });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    document(&[statement])
}

/// Returns a policy document.
pub(crate) fn document(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Returns the text itself for one value, and a list for several.
pub(crate) fn one_or_many(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
}

/// Returns the ARN under which a function of another stack is described and invoked. An execution
/// that begins pins the alias `live` to a version, which then needs the right.
pub(crate) fn invoked(arn: &str) -> String {
    arn.strip_suffix(":live").map_or_else(|| arn.to_owned(), |function| format!("{function}:*"))
}

/// The resources of a template while they are added. Two of them cannot have one id.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    pub(crate) map: Map<String, Value>,
    /// What asked for each resource: a function, a pipeline or a bucket.
    owners: BTreeMap<String, String>,
    owner: String,
    clash: Option<(String, String)>,
}

impl Resources {
    /// Says what asks for the resources that are added next.
    pub(crate) fn begin(&mut self, owner: &str) {
        owner.clone_into(&mut self.owner);
    }

    pub(crate) fn insert(&mut self, id: String, resource: Value) {
        if let Some(before) = self.owners.insert(id.clone(), self.owner.clone()) {
            self.clash.get_or_insert((before, self.owner.clone()));
        }
        self.map.insert(id, resource);
    }

    /// Returns the first two that asked for resources of one id.
    pub(crate) fn clash(&self) -> Option<(String, String)> {
        self.clash.clone()
    }
}
