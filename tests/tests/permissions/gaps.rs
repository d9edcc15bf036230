//! Gaps that are planted into the template: each is found by its role and its action.

use serde_json::{Value, json};
use sidestep_core::plan::handoff::Handoff;

use super::{record, refused, template};

/// What is done to a statement.
enum Gap {
    Removed,
    /// An action or a resource that ends so is taken away.
    Without(&'static str),
    /// The keys or prefixes of the condition are these.
    Condition(&'static str, &'static str, &'static str),
    /// A statement that denies an action on resources that end so stands beside it.
    Denied(&'static str, &'static str),
}

const EVENT: Handoff = Handoff::Event;
const DIRECT: Handoff = Handoff::Direct;

/// The road, the resource and the statement with the gap, and the role and the action that are
/// refused.
const GAPS: [(Handoff, &str, &str, Gap, &str, &str); 27] = [
    (EVENT, "EnginePolicy", "State", Gap::Removed, "PlannerRole", "dynamodb:PutItem"),
    (EVENT, "EnginePolicy", "State", Gap::Removed, "TriggerRole", "dynamodb:PutItem"),
    (
        EVENT,
        "EnginePolicy",
        "State",
        Gap::Without("BatchGetItem"),
        "PlannerRole",
        "dynamodb:BatchGetItem",
    ),
    (
        EVENT,
        "EnginePolicy",
        "State",
        Gap::Without("UpdateItem"),
        "PlannerRole",
        "dynamodb:UpdateItem",
    ),
    (EVENT, "EnginePolicy", "State", Gap::Without("index/Live"), "PlannerRole", "dynamodb:Query"),
    (
        EVENT,
        "EnginePolicy",
        "Definitions",
        Gap::Without("PutObject"),
        "TriggerRole",
        "s3:PutObject",
    ),
    (EVENT, "EnginePolicy", "Windows", Gap::Removed, "PlannerRole", "dynamodb:DeleteItem"),
    (EVENT, "EnginePolicy", "Listings", Gap::Without("PutObject"), "PlannerRole", "s3:PutObject"),
    (EVENT, "EnginePolicy", "Callbacks", Gap::Removed, "PlannerRole", "sqs:SendMessage"),
    (EVENT, "EnginePolicy", "Content", Gap::Removed, "PlannerRole", "s3:GetObject"),
    (EVENT, "EnginePolicy", "Absence", Gap::Removed, "PlannerRole", "s3:ListBucket"),
    (
        EVENT,
        "EnginePolicy",
        "Steps",
        Gap::Without("InvokeFunction"),
        "PlannerRole",
        "lambda:InvokeFunction",
    ),
    (
        EVENT,
        "EnginePolicy",
        "Steps",
        Gap::Without("air-ingest:*"),
        "PlannerRole",
        "lambda:GetFunctionConfiguration",
    ),
    (EVENT, "EnginePolicy", "Inputs", Gap::Without("/metrics.json"), "PlannerRole", "s3:GetObject"),
    (EVENT, "EnginePolicy", "ListInputs", Gap::Removed, "PlannerRole", "s3:ListBucket"),
    (EVENT, "EnginePolicy", "Timers", Gap::Removed, "PlannerRole", "sqs:SendMessage"),
    (EVENT, "StepIngestRole", "Inputs", Gap::Removed, "StepIngestRole", "s3:GetObject"),
    (
        EVENT,
        "StepIngestRole",
        "Outputs",
        Gap::Without("PutObject"),
        "StepIngestRole",
        "s3:PutObject",
    ),
    (
        EVENT,
        "StepIngestRole",
        "Outputs",
        Gap::Denied("s3:PutObject", "/manifest.json"),
        "StepIngestRole",
        "s3:PutObject",
    ),
    (EVENT, "StepFeaturesRole", "Artifacts", Gap::Removed, "StepFeaturesRole", "s3:GetObject"),
    (
        EVENT,
        "StepReportRole",
        "ListInputs0",
        Gap::Condition("StringLike", "s3:prefix", "other/*"),
        "StepReportRole",
        "s3:ListBucket",
    ),
    (
        DIRECT,
        "StepFeaturesRole",
        "Executions",
        Gap::Removed,
        "StepFeaturesRole",
        "dynamodb:PutItem",
    ),
    (
        DIRECT,
        "StepFeaturesRole",
        "Executions",
        Gap::Condition("ForAllValues:StringLike", "dynamodb:LeadingKeys", "E#*"),
        "StepFeaturesRole",
        "dynamodb:BatchGetItem",
    ),
    (DIRECT, "StepFeaturesRole", "Definitions", Gap::Removed, "StepFeaturesRole", "s3:GetObject"),
    (
        DIRECT,
        "StepFeaturesRole",
        "Successors",
        Gap::Without("air-folder:*"),
        "StepFeaturesRole",
        "lambda:InvokeFunction",
    ),
    (
        DIRECT,
        "StepMaybeRole",
        "Plans",
        Gap::Without("/metrics.json"),
        "StepMaybeRole",
        "s3:GetObject",
    ),
    (DIRECT, "StepFeaturesRole", "PlansAbsence", Gap::Removed, "StepFeaturesRole", "s3:ListBucket"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_planted_gap_is_found_by_role_and_action() {
    for (handoff, id, sid, gap, role, action) in GAPS {
        let mut template = template(handoff);
        plant(&mut template, id, sid, &gap);
        let lines = refused(&template, record(handoff).await);
        let begin = format!("`{role}` may not {action} on arn:aws:");
        assert!(
            lines.iter().any(|line| line.starts_with(&begin)),
            "{id}.{sid}: {begin}\n{lines:#?}"
        );
        // The line names the statement that is missing, or the one that denies it.
        let ends = match gap {
            Gap::Denied(..) => format!("{id}.Denied denies it"),
            _ => "\"}".to_owned(),
        };
        let is_named = |line: &String| line.ends_with(&ends) || line.ends_with("}}");
        assert!(lines.iter().all(is_named), "{id}.{sid}: {lines:#?}");
        // Nothing else is refused: other roles and services keep their permissions.
        let service = action.split(':').next().unwrap_or_default();
        let is_alike = |line: &String| line.contains(&format!("may not {service}:"));
        assert!(lines.iter().all(is_alike), "{id}.{sid}: {lines:#?}");
    }
}

fn plant(template: &mut Value, id: &str, sid: &str, gap: &Gap) {
    let properties = &mut template["Resources"][id]["Properties"];
    let document = if properties["PolicyDocument"].is_object() {
        &mut properties["PolicyDocument"]
    } else {
        &mut properties["Policies"][0]["PolicyDocument"]
    };
    let statements = document["Statement"].as_array_mut().expect("statements");
    let found = statements.iter().position(|statement| statement["Sid"] == sid);
    let position = found.unwrap_or_else(|| panic!("{id} has no statement {sid}"));
    match gap {
        Gap::Removed => {
            statements.remove(position);
        }
        Gap::Without(end) => {
            let parts =
                ["Action", "Resource"].map(|part| take(&mut statements[position][part], end));
            assert_eq!(parts.into_iter().sum::<usize>(), 1, "{id}.{sid} has one `{end}`");
        }
        Gap::Condition(operator, key, value) => {
            statements[position]["Condition"] = json!({ *operator: { *key: value } });
        }
        Gap::Denied(action, end) => statements.push(json!({ "Sid": "Denied", "Effect": "Deny",
            "Action": action, "Resource": format!("arn:aws:s3:::*{end}") })),
    }
}

/// Takes the texts that end so out of a list, and returns their number.
fn take(list: &mut Value, end: &str) -> usize {
    let Some(values) = list.as_array_mut() else { return 0 };
    let before = values.len();
    let ends = |value: &Value| {
        let text = value.as_str().or_else(|| value["Fn::Sub"].as_str());
        text.is_some_and(|text| text.ends_with(end))
    };
    values.retain(|value| !ends(value));
    before - values.len()
}
