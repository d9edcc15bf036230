//! Small pieces that many resources are made of.

use serde_json::{Value, json};

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
