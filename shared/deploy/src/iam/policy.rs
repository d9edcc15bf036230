//! One policy document.

use serde_json::Value;

use super::condition::{self, Condition};
use super::element::{PolicyError, texts};
use super::pattern::{is_arn_match, is_match};
use super::request::Request;

/// A policy document, and the resource of the template that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub owner: String,
    pub(super) statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sid: String,
    pub(super) is_deny: bool,
    /// The roles, services or `*` that a statement of a resource's policy is about.
    principals: Vec<String>,
    actions: Names,
    resources: Names,
    conditions: Vec<Condition>,
}

/// Patterns, or the patterns that must not match.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Names {
    is_negated: bool,
    patterns: Vec<String>,
}

impl Names {
    fn read(statement: &Value, name: &str) -> Result<Self, PolicyError> {
        let not = format!("Not{name}");
        let is_negated = statement.get(&not).is_some();
        let given = statement.get(&not).or_else(|| statement.get(name));
        let patterns = given.map_or_else(|| Err(PolicyError::Element(name.to_owned())), texts)?;
        Ok(Self { is_negated, patterns })
    }

    fn has(&self, is_match: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| is_match(pattern)) != self.is_negated
    }
}

impl Policy {
    /// Reads a document without intrinsic functions.
    pub fn read(owner: &str, document: &Value) -> Result<Self, PolicyError> {
        let given = match &document["Statement"] {
            Value::Array(statements) => statements.iter().collect(),
            statement => vec![statement],
        };
        let statements = given.into_iter().map(Statement::read).collect::<Result<_, _>>()?;
        Ok(Self { owner: owner.to_owned(), statements })
    }
}

impl Statement {
    fn read(statement: &Value) -> Result<Self, PolicyError> {
        let is_deny = match statement["Effect"].as_str() {
            Some("Allow") => false,
            Some("Deny") => true,
            other => return Err(PolicyError::Effect(other.unwrap_or_default().to_owned())),
        };
        let principals = match statement.get("Principal") {
            None => Vec::new(),
            Some(Value::Object(kinds)) => {
                let all: Vec<_> = kinds.values().map(texts).collect::<Result<_, _>>()?;
                all.concat()
            }
            Some(one) => texts(one)?,
        };
        Ok(Self {
            sid: statement["Sid"].as_str().unwrap_or_default().to_owned(),
            is_deny,
            principals,
            actions: Names::read(statement, "Action")?,
            resources: Names::read(statement, "Resource")?,
            conditions: condition::read(&statement["Condition"])?,
        })
    }

    /// Returns true if the statement is about the request.
    pub(super) fn applies(&self, request: &Request) -> bool {
        let action = request.action.to_ascii_lowercase();
        self.actions.has(|pattern| is_match(&pattern.to_ascii_lowercase(), &action))
            && self.resources.has(|pattern| is_arn_match(pattern, &request.resource))
            && self.conditions.iter().all(|condition| condition.holds(&request.context))
    }

    /// Returns true if a statement of a resource's policy is about this principal.
    pub(super) fn is_about(&self, principal: &str) -> bool {
        self.principals.iter().any(|one| one == "*" || one == principal)
    }
}
