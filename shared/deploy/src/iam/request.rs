//! One request as IAM sees it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

/// An action on a resource, and the values that conditions may look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Such as `s3:GetObject`.
    pub action: String,
    /// The resource's ARN, or `*` for an action without resources.
    pub resource: String,
    /// Condition keys in lower case, with their values. A key that is missing has no value in the
    /// request.
    pub context: BTreeMap<String, Vec<String>>,
}

impl Request {
    /// Returns a request without any condition key.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), context: BTreeMap::new() }
    }

    /// Adds a condition key.
    #[must_use]
    pub fn with(mut self, key: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        self.context.insert(key.to_ascii_lowercase(), values);
        self
    }

    /// Returns the smallest statement that would allow the request.
    pub fn statement(&self) -> Value {
        let mut statement =
            json!({ "Effect": "Allow", "Action": self.action, "Resource": self.resource });
        let mut conditions = Map::new();
        if let Some(keys) = self.context.get("dynamodb:leadingkeys") {
            conditions.insert(
                "ForAllValues:StringEquals".to_owned(),
                json!({ "dynamodb:LeadingKeys": keys }),
            );
        }
        if let Some(prefix) = self.context.get("s3:prefix") {
            conditions.insert("StringLike".to_owned(), json!({ "s3:prefix": prefix }));
        }
        if !conditions.is_empty() {
            statement["Condition"] = conditions.into();
        }
        statement
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)?;
        for (key, values) in &self.context {
            write!(f, " ({key} {})", values.join(", "))?;
        }
        Ok(())
    }
}
