//! The roles of the template allow every request of executions, and each gap is found.

mod gaps;
mod project;
mod recorded;
mod table;

use serde_json::Value;
use sidestep_core::plan::handoff::Handoff;
use sidestep_deploy::iam::Permissions;
use sidestep_deploy::synthesise;
use tokio::sync::OnceCell;

use self::project::{blueprint, place};
use self::recorded::{Calls, calls};

static BY_EVENT: OnceCell<Calls> = OnceCell::const_new();
static DIRECTLY: OnceCell<Calls> = OnceCell::const_new();

/// Returns the requests of executions on a road, which are recorded once.
async fn record(handoff: Handoff) -> &'static Calls {
    let cell = if handoff.is_direct() { &DIRECTLY } else { &BY_EVENT };
    cell.get_or_init(|| calls(handoff)).await
}

fn template(handoff: Handoff) -> Value {
    synthesise(&blueprint(handoff)).unwrap()
}

/// Returns a line for each request that the template's roles do not allow: who may not do what, and
/// the statement that is missing.
fn refused(template: &Value, calls: &Calls) -> Vec<String> {
    let permissions = Permissions::of_template(template, &place()).unwrap();
    let mut lines = Vec::new();
    for (role, request) in calls {
        let decision = permissions.decide(role, request);
        if decision.is_allowed() {
            continue;
        }
        lines.push(match decision.by {
            Some(by) => format!("`{role}` may not {request}: {by} denies it"),
            None => format!("`{role}` may not {request}: it lacks {}", request.statement()),
        });
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_an_execution_is_allowed_on_both_roads() {
    for handoff in [Handoff::Event, Handoff::Direct] {
        let calls = record(handoff).await;
        let lines = refused(&template(handoff), calls);
        assert!(lines.is_empty(), "{handoff}:\n{}", lines.join("\n"));
        let has = |role: &str, action: &str| {
            calls.iter().any(|(of, request)| of == role && request.action == action)
        };
        assert!(has("PlannerRole", "lambda:InvokeFunction"), "{handoff}: {calls:#?}");
        assert!(has("StepIngestRole", "s3:PutObject"), "{handoff}: {calls:#?}");
        assert_eq!(has("StepIngestRole", "dynamodb:PutItem"), handoff.is_direct());
    }
}
