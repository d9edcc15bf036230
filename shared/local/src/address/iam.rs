//! IAM: roles as SDKs look at them before they use one.
//!
//! There are no policies here. Every role exists, services may assume it, and what is simulated is
//! allowed: what a function may do is not bounded by a role on this machine.

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use sidestep_admission::Answer;

use super::query::{Call, Refusal, answered, element, is_name};
use super::sts::role_id;
use crate::account::ACCOUNT_ID;

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// When every role was created. A fixed time, so that two answers are the same.
const CREATED: &str = "2026-01-01T00:00:00Z";
/// The services that may assume every role.
const PRINCIPALS: [&str; 9] = [
    "sagemaker.amazonaws.com",
    "lambda.amazonaws.com",
    "scheduler.amazonaws.com",
    "events.amazonaws.com",
    "states.amazonaws.com",
    "bedrock.amazonaws.com",
    "ec2.amazonaws.com",
    "elasticmapreduce.amazonaws.com",
    "emr-serverless.amazonaws.com",
];

/// Returns the service.
pub(super) fn service() -> Answer {
    Arc::new(|request| {
        Box::pin(async move {
            let (action, result) = match Call::read(request).await {
                Ok(call) => (call.action.clone(), perform(&call)),
                Err(refusal) => (String::new(), Err(refusal)),
            };
            answered((&action, NAMESPACE), result)
        })
    })
}

fn perform(call: &Call) -> Result<String, Refusal> {
    match call.action.as_str() {
        "GetRole" => get_role(call.need("RoleName")?),
        "SimulatePrincipalPolicy" => simulate(call),
        other => {
            let known = "GetRole and SimulatePrincipalPolicy";
            let text = format!("The embedded IAM has no action `{other}`; it has {known}.");
            Err(Refusal("InvalidAction", text))
        }
    }
}

fn get_role(name: &str) -> Result<String, Refusal> {
    if !is_name(name, 1..=64) {
        let text = "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-";
        return Err(Refusal("ValidationError", text.to_owned()));
    }
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": { "Service": PRINCIPALS },
                "Action": "sts:AssumeRole",
            },
        ],
    });
    let policy = utf8_percent_encode(&document.to_string(), NON_ALPHANUMERIC).to_string();
    let parts = [
        element("Path", "/"),
        element("RoleName", name),
        element("RoleId", &role_id(name)),
        element("Arn", &format!("arn:aws:iam::{ACCOUNT_ID}:role/{name}")),
        element("CreateDate", CREATED),
        element("AssumeRolePolicyDocument", &policy),
        element("MaxSessionDuration", "43200"),
    ];
    Ok(format!("<Role>{}</Role>", parts.concat()))
}

/// Allows every action, a page at a time.
fn simulate(call: &Call) -> Result<String, Refusal> {
    call.need("PolicySourceArn")?;
    let actions = call.list("ActionNames");
    if actions.is_empty() {
        call.need("ActionNames")?;
    }
    let resources = call.list("ResourceArns");
    let at = |marker: &str| marker.parse().ok().filter(|at| *at <= actions.len());
    let from: usize = match call.get("Marker") {
        None => 0,
        Some(marker) => at(marker).ok_or_else(|| {
            Refusal("InvalidInput", format!("'{marker}' is not a marker of this request"))
        })?,
    };
    let most = usize::try_from(call.number("MaxItems", (1, 1_000), 100)?).unwrap_or(usize::MAX);
    let page = actions.iter().skip(from).take(most);
    let results: String = page.map(|action| evaluated(action, &resources)).collect();
    let end = from.saturating_add(most);
    let rest = if end < actions.len() {
        element("IsTruncated", "true") + &element("Marker", &end.to_string())
    } else {
        element("IsTruncated", "false")
    };
    Ok(format!("<EvaluationResults>{results}</EvaluationResults>{rest}"))
}

fn evaluated(action: &str, resources: &[&str]) -> String {
    let decision = element("EvalResourceDecision", "allowed");
    let of_each = resources.iter().flat_map(|resource| {
        let name = element("EvalResourceName", resource);
        ["<member>".to_owned(), name, decision.clone(), "</member>".to_owned()]
    });
    let specific = if resources.len() > 1 {
        let all: String = of_each.collect();
        format!("<ResourceSpecificResults>{all}</ResourceSpecificResults>")
    } else {
        String::new()
    };
    let parts = [
        element("EvalActionName", action),
        element("EvalResourceName", resources.first().unwrap_or(&"*")),
        element("EvalDecision", "allowed"),
        "<MatchedStatements/><MissingContextValues/>".to_owned(),
        specific,
    ];
    format!("<member>{}</member>", parts.concat())
}
