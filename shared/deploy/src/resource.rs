//! Small pieces that many resources are made of.

use serde_json::{Value, json};

/// `Fn::Sub` where the text has something to put in.
pub(crate) fn sub(text: impl Into<String>) -> Value {
    let text = text.into();
    if text.contains("${") { json!({ "Fn::Sub": text }) } else { Value::String(text) }
}

/// The resource's ARN.
pub(crate) fn arn(id: &str) -> Value {
    json!({ "Fn::GetAtt": [id, "Arn"] })
}

/// A reference to a resource or a parameter.
pub(crate) fn reference(id: &str) -> Value {
    json!({ "Ref": id })
}

/// One statement that allows something.
pub(crate) fn allow(sid: &str, actions: &[&str], resource: &Value) -> Value {
    let action = if let [one] = actions { json!(one) } else { json!(actions) };
    json!({ "Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource })
}

/// The policy by which a service of AWS takes a role.
pub(crate) fn assumed_by(service: &str, condition: Option<Value>) -> Value {
    let mut statement = json!({
        "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole"
    });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    document(&[statement])
}

/// A policy document.
pub(crate) fn document(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Sorted: one text for one, a list for several.
pub(crate) fn one_or_many(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
}
