//! The elements of a policy that hold one text or several.

use serde_json::Value;

/// Why a policy cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    #[error("invalid condition operator `{0}`: expected one that the evaluator knows")]
    Operator(String),
    #[error("invalid element `{0}` of a policy: expected texts")]
    Element(String),
    #[error("invalid effect `{0}`: expected `Allow` or `Deny`")]
    Effect(String),
}

/// Returns a text, or the texts of a list.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, PolicyError> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        other => Err(PolicyError::Element(other.to_string())),
    };
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        value => Ok(vec![text(value)?]),
    }
}
