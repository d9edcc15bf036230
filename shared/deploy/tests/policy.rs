//! Least privilege: every statement of the template is checked.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sidestep_core::plan::handoff::Handoff;
use sidestep_deploy::synthesise;

use crate::fixture;

/// Resources with a `*` that are intended, and why: the resource's id, the statement, and the end
/// of its text.
const WIDE: [(&str, &str, &str); 28] = [
    // X-Ray's actions know no resources.
    ("EnginePolicy", "Traces", "*"),
    ("StepWorkErRole", "Traces", "*"),
    // Definitions are named by their digest, and versions are published later.
    ("StepWorkErRole", "Definitions", "/definitions/*"),
    ("StepWorkErRole", "Successors", "work_er:*"),
    // On the direct road it looks at what the planner would look at for its pipelines.
    ("StepWorkErRole", "Plans", "/runs/*"),
    ("StepWorkErRole", "Plans", "/batches/*"),
    ("StepWorkErRole", "Plans", "acme-lake/*"),
    ("StepWorkErRole", "Plans", "acme-lake/raw/*"),
    ("StepWorkErRole", "Plans", "acme-lake/a?b/*"),
    ("StepWorkErRole", "Plans", "results/daily/*"),
    // Definitions are named by their digest.
    ("EnginePolicy", "Definitions", "/definitions/*"),
    // Listings of batches are named by their digest.
    ("EnginePolicy", "Listings", "/batches/*"),
    ("StepWorkErRole", "Listings", "/batches/*"),
    // A cache hit may be of any pipeline and step.
    ("EnginePolicy", "Content", "/runs/*"),
    ("EnginePolicy", "Manifests", "/runs/*/manifest.json"),
    ("EnginePolicy", "Starts", "/runs/*/started.json"),
    // Versions of one function: they are published later.
    ("EnginePolicy", "Steps", ":*"),
    // What follows `s3://inbox/flights/` is a parameter's value.
    ("EnginePolicy", "Inputs", "/flights/*"),
    ("StepIngestRole", "Inputs", "/flights/*"),
    // A trigger's uploads: those of the whole bucket, and below prefixes.
    ("EnginePolicy", "Inputs", "acme-lake/*"),
    ("EnginePolicy", "Inputs", "acme-lake/raw/*"),
    ("EnginePolicy", "Inputs", "acme-lake/a?b/*"),
    // An argument with a pattern, `s3://lake/tables/*/current.parquet`.
    ("EnginePolicy", "Inputs", "acme-lake/tables/*"),
    ("StepWorkErRole", "Inputs", "acme-lake/tables/*"),
    // `writes` of `sidestep.toml` names a prefix. The planner looks at what was written before it
    // uses a cached result.
    ("EnginePolicy", "Inputs", "results/daily/*"),
    ("StepWorkErRole", "Writes", "results/daily/*"),
    // Every step: its own executions and attempts, and artifacts of the step that did the work
    // before.
    ("Step*", "Outputs", "/*"),
    ("Step*", "Artifacts", "/runs/*"),
];

#[test]
fn nothing_is_wider_than_the_checked_in_list() {
    for blueprint in [fixture::flights(), fixture::everything()] {
        let template = synthesise(&blueprint).expect("a template");
        for (id, statement) in statements(&template) {
            // The next test checks who may assume a role.
            if statement["Effect"] == "Deny" || statement.get("Resource").is_none() {
                continue;
            }
            let sid = statement["Sid"].as_str().expect("a statement about resources has a Sid");
            for action in texts(&statement["Action"]) {
                assert!(!action.contains('*'), "{id} {sid} allows `{action}`");
            }
            assert!(statement.get("NotAction").is_none() && statement.get("NotResource").is_none());
            for resource in texts(&statement["Resource"]).filter(|text| text.contains('*')) {
                let is_listed = WIDE.iter().any(|(of, named, end)| {
                    let is_of =
                        of.strip_suffix('*').map_or(*of == id, |start| id.starts_with(start));
                    is_of && *named == sid && resource.ends_with(end)
                });
                assert!(is_listed, "{id} {sid} allows `{resource}`");
            }
        }
    }
}

#[test]
fn every_principal_is_a_service_that_is_pinned_to_its_source() {
    for blueprint in [fixture::flights(), fixture::everything()] {
        let template = synthesise(&blueprint).expect("a template");
        for (id, statement) in statements(&template) {
            let Some(principal) = statement.get("Principal") else { continue };
            if statement["Effect"] == "Deny" {
                continue;
            }
            let service = principal["Service"].as_str().expect("a service");
            // Lambda assumes only the roles of functions that they were given to, and has no source
            // to pin.
            let is_pinned = service == "lambda.amazonaws.com"
                || (statement["Condition"]["StringEquals"]["aws:SourceAccount"]["Ref"]
                    == "AWS::AccountId"
                    && statement["Condition"]["ArnEquals"]["aws:SourceArn"] != Value::Null);
            assert!(is_pinned, "{id} lets any {service} in");
        }
        for (id, permission) in of_type(&template, "AWS::Lambda::Permission") {
            let properties = &permission["Properties"];
            assert!(properties["SourceArn"].is_object(), "{id}");
            assert_eq!(properties["SourceAccount"]["Ref"], "AWS::AccountId", "{id}");
        }
    }
}

#[test]
fn a_step_has_no_right_on_the_table_or_on_any_function() {
    let mut by_event = fixture::everything();
    by_event.options.handoff = Handoff::Event;
    for blueprint in [fixture::flights(), by_event] {
        let template = synthesise(&blueprint).expect("a template");
        let mut roles = BTreeSet::new();
        for (id, statement) in statements(&template) {
            if !id.starts_with("Step") || statement.get("Principal").is_some() {
                continue;
            }
            roles.insert(id.clone());
            for action in texts(&statement["Action"]) {
                let service = action.split(':').next().unwrap_or_default();
                assert!(["logs", "sqs", "s3", "xray"].contains(&service), "{id} may {action}");
            }
        }
        assert_eq!(roles.len(), blueprint.functions.len(), "one role per function: {roles:?}");
    }
}

#[test]
fn on_the_direct_road_a_step_may_commit_and_invoke_what_can_follow_and_no_more() {
    let template = synthesise(&fixture::everything()).expect("a template");
    let of = |sid: &str| -> Value {
        let all = statements(&template);
        let found =
            all.iter().find(|(id, statement)| id == "StepWorkErRole" && statement["Sid"] == sid);
        found.map_or_else(|| panic!("no {sid}"), |(_, statement)| statement.clone())
    };
    let keys = &of("Executions")["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
    assert_eq!(*keys, serde_json::json!(["E#*", "K#*", "P#tables"]));
    let requests = of("Requests");
    assert_eq!(texts(&requests["Action"]).collect::<Vec<_>>(), ["dynamodb:PutItem"]);
    let keys = &requests["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
    assert_eq!(*keys, serde_json::json!(["R#*"]));
    assert!(texts(&of("Executions")["Action"]).all(|action| !action.contains("Delete")));
    let functions: Vec<String> = texts(&of("Successors")["Resource"]).collect();
    assert_eq!(functions.len(), 2, "its own and the one by ARN: {functions:?}");
    assert!(
        functions.iter().all(|arn| arn.ends_with("work_er:*") || arn.ends_with(":legacy-scan"))
    );

    let variables = &template["Resources"]["StepWorkEr"]["Properties"]["Environment"]["Variables"];
    assert_eq!(variables["SIDESTEP_HANDOFF"], "direct");
    assert_eq!(variables["SIDESTEP_REPORTS"], json!({ "Ref": "Reports" }));
    let planner = &template["Resources"]["Planner"]["Properties"]["Environment"]["Variables"];
    assert_eq!(planner["SIDESTEP_HANDOFF"], "direct");
}

#[test]
fn on_the_direct_road_a_step_may_look_at_what_decides_the_steps_after_it() {
    let mut blueprint = fixture::conditions();
    blueprint.options.handoff = Handoff::Direct;
    let template = synthesise(&blueprint).expect("a template");
    let of = |sid: &str| -> Vec<String> {
        let all = statements(&template);
        let found =
            all.iter().find(|(id, statement)| id == "StepWorkRole" && statement["Sid"] == sid);
        found.map(|(_, statement)| texts(&statement["Resource"]).collect()).unwrap_or_default()
    };
    let ends = |resources: &[String], wanted: &[&str]| {
        for end in wanted {
            assert!(resources.iter().any(|one| one.ends_with(end)), "{end}: {resources:?}");
        }
        assert_eq!(resources.len(), wanted.len(), "{resources:?}");
    };
    let artifacts = "-artifacts-${AWS::AccountId}-${AWS::Region}";
    // Documents of conditions, content that is compared, and artifacts of earlier results.
    ends(
        &of("Plans"),
        &[
            &format!("{artifacts}/runs/*"),
            &format!("{artifacts}/batches/*"),
            ":metrics/m.json",
            ":metrics/when.csv",
            ":reference/parts/*",
            ":reference/table.csv",
        ],
    );
    ends(&of("PlansAbsence"), &[artifacts, ":metrics", ":reference"]);
}

#[test]
fn lambda_reports_successes_only_of_functions_without_the_step_sdk() {
    let template = synthesise(&fixture::flights()).expect("a template");
    let has_success = |id: &str| {
        let config = &template["Resources"][id]["Properties"]["DestinationConfig"];
        assert!(config["OnFailure"].is_object(), "{id}: {config:#}");
        config.get("OnSuccess").is_some()
    };
    assert!(has_success("StepReportReports"), "a Python function");
    assert!(!has_success("StepTrainReports"), "a Rust one writes its manifest");
}

#[test]
fn a_step_writes_only_below_its_own_prefix() {
    let template = synthesise(&fixture::flights()).expect("a template");
    let writes = |role: &str| -> Vec<String> {
        let all = statements(&template);
        let put = all.iter().filter(|(id, statement)| {
            id == role && texts(&statement["Action"]).any(|action| action == "s3:PutObject")
        });
        put.flat_map(|(_, statement)| texts(&statement["Resource"]).collect::<Vec<_>>()).collect()
    };
    let [written] = writes("StepTrainRole").try_into().expect("one prefix");
    assert!(written.ends_with("/runs/flights/????????????/Train/*"), "{written}");
}

/// Returns every policy statement in the template with the id of its resource.
fn statements(template: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (id, resource) in template["Resources"].as_object().expect("resources") {
        collect(id, resource, &mut found);
    }
    found
}

fn collect(id: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::Array(statements) if name == "Statement" => {
                        found.extend(statements.iter().map(|one| (id.to_owned(), one.clone())));
                    }
                    member => collect(id, member, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(id, value, found)),
        _ => {}
    }
}

fn of_type<'t>(
    template: &'t Value,
    kind: &'t str,
) -> impl Iterator<Item = (&'t String, &'t Value)> {
    let resources = template["Resources"].as_object().expect("resources");
    resources.iter().filter(move |(_, resource)| resource["Type"] == kind)
}

/// Returns the texts of a statement's actions or resources, including those of `Fn::Sub`.
/// `Fn::GetAtt` gives none, because it holds no `*`.
fn texts(value: &Value) -> Box<dyn Iterator<Item = String> + '_> {
    match value {
        Value::String(text) => Box::new(std::iter::once(text.clone())),
        Value::Array(values) => Box::new(values.iter().flat_map(texts)),
        Value::Object(members) if members.contains_key("Fn::Sub") => texts(&members["Fn::Sub"]),
        Value::Object(_) => Box::new(std::iter::empty()),
        other => panic!("`{other}` is no action and no resource"),
    }
}
