//! The page that lists who asks for what, and which statement allows it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use sidestep_core::plan::handoff::Handoff;
use sidestep_deploy::iam::{Permissions, Request};

use super::project::place;
use super::recorded::Calls;
use super::{record, template};

/// Set to write the page anew.
const UPDATE: &str = "HOUSE_UPDATE";

const HEAD: &str = "\
# Which permission each request needs

The end-to-end tests record every request of the planner, the trigger and the steps of a project
like `examples/flights`, and an evaluator of IAM's rules decides each by the roles of the template
(`shared/deploy/src/iam`). The tests write this page; `HOUSE_UPDATE=1 cargo test -p sidestep-tests
permissions` does it anew. A request that no statement allows fails
`every_request_of_an_execution_is_allowed_on_both_roads`, and a gap in a role is found by
`each_planted_gap_is_found_by_role_and_action`.

Words in capital letters, such as `EXECUTION` and `VERSION`, stand for what differs from one
execution to the next.
`s3:ListBucket` with a whole key is what S3 asks for before it says that an object is missing. What
Lambda asks for with a function's role (messages of its queues, its log) is not recorded.
";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_permissions_lists_what_was_recorded() {
    let mut page = HEAD.to_owned();
    for (title, handoff) in
        [("Handoff by event", Handoff::Event), ("Direct handoff", Handoff::Direct)]
    {
        let permissions = Permissions::of_template(&template(handoff), &place()).unwrap();
        write!(page, "\n## {title}\n\n{}", rows(&permissions, record(handoff).await)).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rights.md");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    for line in page.lines() {
        assert!(written.lines().any(|other| other == line), "not in docs/rights.md: {line}");
    }
    for line in written.lines() {
        assert!(page.lines().any(|other| other == line), "nothing asks for it any more: {line}");
    }
}

/// Returns a table of roles and actions on kinds of resources.
fn rows(permissions: &Permissions, calls: &Calls) -> String {
    let mut rows: BTreeMap<(String, String, String), String> = BTreeMap::new();
    for (role, request) in calls {
        let by = permissions.decide(role, request).by.unwrap_or_else(|| "none".to_owned());
        let (action, resource) = (request.action.clone(), kind(request));
        // The planner's and the trigger's permissions are the same.
        let role = if role == "TriggerRole" { "PlannerRole" } else { role };
        rows.insert((role.to_owned(), action, resource), by);
    }
    let mut table = "| role | action | resource | statement |\n|---|---|---|---|\n".to_owned();
    for ((role, action, resource), by) in rows {
        writeln!(table, "| {role} | `{action}` | `{resource}` | {by} |").unwrap();
    }
    table
}

/// Returns the resource without what differs from one execution to the next.
fn kind(request: &Request) -> String {
    let named = request.resource.rsplit(":::").next().unwrap_or_default();
    let resource = named.rsplit(":000000000000:").next().unwrap_or_default();
    let mut text = resource.split('/').map(general).collect::<Vec<_>>().join("/");
    for key in ["s3:prefix", "dynamodb:leadingkeys"] {
        let Some(values) = request.context.get(key) else { continue };
        let part = |value: &String| value.split('/').map(general).collect::<Vec<_>>().join("/");
        let mut kinds: Vec<_> = values.iter().map(part).collect();
        kinds.sort();
        kinds.dedup();
        write!(text, " {}", kinds.join(", ")).unwrap();
    }
    text
}

/// Returns a part of a key without what differs.
fn general(part: &str) -> String {
    let is_id = |text: &str| {
        text.len() == 12 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    match part.split_once('#') {
        Some(("E", _)) => return "E#EXECUTION".to_owned(),
        Some(("K", _)) => return "K#KEY".to_owned(),
        Some(("R", _)) => return "R#REQUEST".to_owned(),
        Some(("B", _)) => return "B#TOKEN".to_owned(),
        Some(("W", _)) => return "W#WINDOW".to_owned(),
        _ => {}
    }
    if let Some(function) = part.strip_prefix("function:air-") {
        let name = function.split(':').next().unwrap_or_default();
        let version = if function.ends_with(":live") { "live" } else { "VERSION" };
        return format!("function:air-{name}:{version}");
    }
    if is_id(part) {
        return "EXECUTION".to_owned();
    }
    if part.len() >= 64 {
        return "DIGEST".to_owned();
    }
    part.to_owned()
}
