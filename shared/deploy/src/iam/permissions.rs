//! The permissions of the roles of a template.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::element::PolicyError;
use super::policy::{Policy, Statement};
use super::request::Request;
use crate::evaluate::Evaluator;
use crate::place::Place;

/// How a request is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Allowed,
    /// A statement denies it, whatever others allow.
    Denied,
    /// No statement allows it.
    NotAllowed,
}

/// How a request is decided, and by which statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    pub verdict: Verdict,
    /// The resource of the template and the statement's `Sid`, such as `EnginePolicy.State`.
    pub by: Option<String>,
}

impl Decision {
    /// Returns true if the request is allowed.
    pub fn is_allowed(&self) -> bool {
        self.verdict == Verdict::Allowed
    }
}

/// The policies of a template's roles and resources, with names and ARNs as in the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    roles: BTreeMap<String, Vec<Policy>>,
    /// The policies of buckets and queues. Each names its resource itself.
    resources: Vec<Policy>,
}

impl Permissions {
    /// Reads the policies of a template that is deployed to `place`.
    pub fn of_template(template: &Value, place: &Place) -> Result<Self, PolicyError> {
        let none = Map::new();
        let template = template.as_object().unwrap_or(&none);
        let evaluator = Evaluator { template, place };
        let mut permissions = Self { roles: BTreeMap::new(), resources: Vec::new() };
        for (id, resource) in template.get("Resources").and_then(Value::as_object).unwrap_or(&none)
        {
            let properties = &resource["Properties"];
            let read = |document: &Value| Policy::read(id, &evaluator.value(document));
            match resource["Type"].as_str() {
                Some("AWS::IAM::Role") => {
                    let own = permissions.roles.entry(id.clone()).or_default();
                    for policy in properties["Policies"].as_array().into_iter().flatten() {
                        own.push(read(&policy["PolicyDocument"])?);
                    }
                }
                Some("AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy") => {
                    let policy = read(&properties["PolicyDocument"])?;
                    for role in properties["Roles"].as_array().into_iter().flatten() {
                        let role = role["Ref"].as_str().unwrap_or_default().to_owned();
                        permissions.roles.entry(role).or_default().push(policy.clone());
                    }
                }
                Some("AWS::S3::BucketPolicy" | "AWS::SQS::QueuePolicy") => {
                    permissions.resources.push(read(&properties["PolicyDocument"])?);
                }
                _ => {}
            }
        }
        Ok(permissions)
    }

    /// Returns the ids of the roles.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// Decides a request of a role. A role that is not in the template is allowed nothing.
    ///
    /// Within one account it is enough if either the role's policies or the resource's policy allow
    /// it, and one statement that denies it is enough to deny it.
    pub fn decide(&self, role: &str, request: &Request) -> Decision {
        let own = self.roles.get(role).into_iter().flatten().flat_map(named);
        let of_resources = self.resources.iter().flat_map(named);
        let others = of_resources.filter(|(_, statement)| statement.is_about(role));
        let applying: Vec<_> =
            own.chain(others).filter(|(_, statement)| statement.applies(request)).collect();
        let denying = applying.iter().find(|(_, statement)| statement.is_deny);
        let (verdict, by) = match (denying, applying.first()) {
            (Some(found), _) => (Verdict::Denied, Some(found)),
            (None, Some(found)) => (Verdict::Allowed, Some(found)),
            (None, None) => (Verdict::NotAllowed, None),
        };
        let name = |(owner, statement): &(&str, &Statement)| format!("{owner}.{}", statement.sid);
        Decision { verdict, by: by.map(name) }
    }
}

/// Returns the statements of a policy with the policy's owner.
fn named(policy: &Policy) -> impl Iterator<Item = (&str, &Statement)> {
    policy.statements.iter().map(|statement| (policy.owner.as_str(), statement))
}
