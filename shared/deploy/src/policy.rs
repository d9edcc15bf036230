//! Roles whose statements do not fit into inline policies: what is too much goes into managed ones.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::evaluate::Evaluator;
use crate::place::Place;
use crate::resource::document;

/// The most characters in all inline policies of a role, without white space
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
pub(crate) const INLINE_CHARACTERS: usize = 10_240;
/// The most characters in one managed policy.
pub(crate) const MANAGED_CHARACTERS: usize = 6_144;
/// The most managed policies of a role.
pub(crate) const MANAGED_POLICIES: usize = 10;
/// The most characters of the resources of one statement. A statement cannot be divided later.
const RESOURCES_CHARACTERS: usize = 4_000;
/// What a document has around its statements, with some room for a comma after each.
const FRAME: usize = 100;

/// Moves statements of roles that are too large into managed policies.
pub(crate) fn fit(template: Map<String, Value>) -> Map<String, Value> {
    let worst = Place::worst();
    let evaluator = Evaluator { template: &template, place: &worst };
    let mut changed: BTreeMap<String, Value> = BTreeMap::new();
    let sizes = inline_sizes(&template, &evaluator);
    for (id, resource) in template["Resources"].as_object().into_iter().flatten() {
        let (roles, pointer) = match resource["Type"].as_str() {
            Some("AWS::IAM::Role") => {
                (json!([{ "Ref": id }]), "/Properties/Policies/0/PolicyDocument/Statement")
            }
            Some("AWS::IAM::Policy") => {
                (resource["Properties"]["Roles"].clone(), "/Properties/PolicyDocument/Statement")
            }
            _ => continue,
        };
        let size_of_role = |role: &Value| {
            role["Ref"].as_str().and_then(|role| sizes.get(role)).copied().unwrap_or_default()
        };
        let of_roles = roles.as_array().into_iter().flatten().map(size_of_role);
        let excess = of_roles.max().unwrap_or_default().saturating_sub(INLINE_CHARACTERS);
        let Some(statements) = resource.pointer(pointer).and_then(Value::as_array) else {
            continue;
        };
        let has_own = resource["Type"] == "AWS::IAM::Policy"
            || !template["Resources"].as_object().is_some_and(|all| {
                all.values().any(|other| {
                    other["Type"] == "AWS::IAM::Policy"
                        && other["Properties"]["Roles"]
                            .as_array()
                            .is_some_and(|roles| roles.contains(&json!({ "Ref": id })))
                })
            });
        if excess == 0 || !has_own {
            continue;
        }
        let (kept, moved) = divide(statements, excess + FRAME, &evaluator);
        let mut smaller = resource.clone();
        if let Some(place) = smaller.pointer_mut(pointer) {
            *place = kept.into();
        }
        changed.insert(id.clone(), smaller);
        for (number, statements) in moved.into_iter().enumerate() {
            changed.insert(format!("{id}More{number}"), managed(id, &roles, &statements));
        }
    }
    let mut template = template;
    if let Some(resources) = template.get_mut("Resources").and_then(Value::as_object_mut) {
        resources.extend(changed);
    }
    template
}

fn managed(id: &str, roles: &Value, statements: &[Value]) -> Value {
    json!({
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "Description": format!("What does not fit into {id}"),
            "Roles": roles,
            "PolicyDocument": document(statements),
        },
    })
}

/// Returns what stays, which is at least `excess` smaller, and the documents of the rest.
fn divide(
    statements: &[Value],
    excess: usize,
    evaluator: &Evaluator<'_>,
) -> (Vec<Value>, Vec<Vec<Value>>) {
    let mut kept: Vec<Value> = statements.iter().flat_map(|one| chunks(one, evaluator)).collect();
    let (mut moved, mut sum): (Vec<Value>, usize) = (Vec::new(), 0);
    // The last statements are the project's, of which there can be many.
    while sum < excess {
        let Some(last) = kept.pop() else { break };
        sum += size(&last, evaluator);
        moved.push(last);
    }
    let (mut documents, mut room): (Vec<Vec<Value>>, usize) = (Vec::new(), 0);
    for statement in moved.into_iter().rev() {
        let needed = size(&statement, evaluator) + 1;
        match documents.last_mut() {
            Some(document) if needed <= room => {
                document.push(statement);
                room -= needed;
            }
            _ => {
                documents.push(vec![statement]);
                room = (MANAGED_CHARACTERS - FRAME).saturating_sub(needed);
            }
        }
    }
    (kept, documents)
}

/// Divides a statement with too many resources into several.
fn chunks(statement: &Value, evaluator: &Evaluator<'_>) -> Vec<Value> {
    let whole = || vec![statement.clone()];
    let Some(resources) = statement["Resource"].as_array() else { return whole() };
    let mut parts: Vec<Vec<Value>> = vec![Vec::new()];
    let mut sum = 0;
    for resource in resources {
        let size = size(resource, evaluator) + 1;
        if sum + size > RESOURCES_CHARACTERS {
            parts.push(Vec::new());
            sum = 0;
        }
        sum += size;
        parts.last_mut().expect("it was just pushed").push(resource.clone());
    }
    if parts.len() == 1 {
        return whole();
    }
    let sid = statement["Sid"].as_str().unwrap_or_default();
    let part = |(number, resources): (usize, Vec<Value>)| {
        let mut part = statement.clone();
        part["Sid"] = format!("{sid}{number}").into();
        part["Resource"] = resources.into();
        part
    };
    parts.into_iter().enumerate().map(part).collect()
}

/// Returns the number of characters of the inline policies of each role.
pub(crate) fn inline_sizes(
    template: &Map<String, Value>,
    evaluator: &Evaluator<'_>,
) -> BTreeMap<String, usize> {
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for (id, resource) in template["Resources"].as_object().into_iter().flatten() {
        let properties = &resource["Properties"];
        match resource["Type"].as_str() {
            Some("AWS::IAM::Role") => {
                let policies = properties["Policies"].as_array().into_iter().flatten();
                let own: usize =
                    policies.map(|policy| size(&policy["PolicyDocument"], evaluator)).sum();
                *sizes.entry(id.clone()).or_default() += own;
            }
            Some("AWS::IAM::Policy") => {
                let size = size(&properties["PolicyDocument"], evaluator);
                for role in properties["Roles"].as_array().into_iter().flatten() {
                    let role = role["Ref"].as_str().unwrap_or_default().to_owned();
                    *sizes.entry(role).or_default() += size;
                }
            }
            _ => {}
        }
    }
    sizes
}

/// Returns the number of characters of a value as IAM counts them: without white space.
pub(crate) fn size(value: &Value, evaluator: &Evaluator<'_>) -> usize {
    let text = evaluator.value(value).to_string();
    text.chars().filter(|c| !c.is_whitespace()).count()
}
