//! Items: attribute maps with the table's keys.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sidestep_core::commit::Revision;
use sidestep_core::name::ExecutionId;
use sidestep_engine::store::TableError;

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

pub(super) fn execution_key(id: &ExecutionId) -> String {
    format!("E#{id}")
}

/// Eight digits, so that commits sort by revision.
pub(super) fn commit_key(revision: Revision) -> String {
    format!("C#{revision:08}")
}

/// An item whose attribute `Body` is one JSON document.
pub(super) fn document(pk: String, sk: impl Into<String>, body: &impl Serialize) -> Item {
    let body = serde_json::to_string(body).expect("state is plain JSON with string keys");
    HashMap::from([
        ("PK".to_owned(), text(pk)),
        ("SK".to_owned(), text(sk)),
        ("Body".to_owned(), text(body)),
    ])
}

/// Reads the JSON of [`document`].
pub(super) fn body<T: DeserializeOwned>(item: &Item) -> Result<T, TableError> {
    let text = string(item, "Body")?;
    serde_json::from_str(text).map_err(|error| unreadable(item, &error.to_string()))
}

pub(super) fn string<'a>(item: &'a Item, name: &str) -> Result<&'a str, TableError> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.map(String::as_str).ok_or_else(|| unreadable(item, &format!("no text `{name}`")))
}

pub(super) fn integer<T: std::str::FromStr>(item: &Item, name: &str) -> Result<T, TableError> {
    let value = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    value.ok_or_else(|| unreadable(item, &format!("no number `{name}`")))
}

pub(super) fn unreadable(item: &Item, problem: &str) -> TableError {
    let key =
        |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
    let item = format!("{} {}", key("PK"), key("SK"));
    TableError::Unreadable { item, problem: problem.to_owned() }
}
