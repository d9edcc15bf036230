//! Reads parts of an event without trusting them: a field of another type counts as absent.
//!
//! `serde` alone would refuse a whole event for one field, and would fill a struct from a list by
//! position. So does the crate `aws_lambda_events`, which is why the shapes here are our own.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads an object, or returns `None` for anything else.
pub(super) fn object<T: DeserializeOwned>(value: &Value) -> Option<T> {
    value.is_object().then(|| T::deserialize(value).ok()).flatten()
}

/// Reads a field that holds an object. Anything else is the default.
pub(super) fn nested<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    Ok(object(&Value::deserialize(deserializer)?).unwrap_or_default())
}

/// Reads a field that holds a text, a number or a list. Anything else is the default.
pub(super) fn plain<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    Ok(T::deserialize(Value::deserialize(deserializer)?).unwrap_or_default())
}
