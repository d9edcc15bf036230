//! Executions whose items in the table are gone.

use serde_json::json;
use sidestep_aws::table::DynamoTable;
use sidestep_core::name::ExecutionId;
use sidestep_engine::ports::executions::ExecutionStore as _;
use sidestep_local::cloud::{Cloud, Ports};
use sidestep_local::deployment::TABLE;

use super::project::{Project, lambda, status, step};

/// Removes `HEAD` and the commits after a revision, while no command uses the state.
fn lose(project: &Project, id: &str, after: u32) {
    change(project, id, after, false);
}

/// Puts `HEAD` back to where it was at the start, as if the process that made the commits had not
/// come to write it.
fn leave_head_behind(project: &Project, id: &str) {
    change(project, id, 1_000, true);
}

fn change(project: &Project, id: &str, after: u32, creates_head: bool) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = project.path(".sidestep");
        let cloud = Cloud::start(folder.as_ref(), Ports::default()).await.unwrap();
        let endpoint = cloud.endpoints().dynamodb.clone();
        let config = cloud.config().into_builder().endpoint_url(endpoint).build();
        let table = DynamoTable::new(&config, TABLE);
        let id = ExecutionId::parse(id).unwrap();
        table.forget(&id, after).await.unwrap();
        if creates_head {
            let start = table.start(&id).await.unwrap().unwrap();
            table.create(&start, 1).await.unwrap();
            assert_eq!(table.live().await.unwrap(), [id], "it counts as unfinished");
        }
        cloud.shutdown(std::time::Duration::ZERO).await;
    });
}

fn id_of(execution: &serde_json::Value) -> String {
    let arn = execution["PipelineExecutionArn"].as_str().unwrap();
    arn.rsplit('/').next().unwrap().to_owned()
}

#[test]
fn a_head_that_is_gone_is_derived_from_the_commits() {
    let project = Project::new(&json!([lambda("A", &json!({}), &json!({}))]));
    project.expect(0, &["run", "test"]);
    let before = project.show();
    let id = id_of(&before);
    lose(&project, &id, 2);
    project.expect(2, &["show", &id]);
    let said = project.expect(0, &["repair", &id]);
    assert!(said.ends_with("is Succeeded\n"), "{said}");
    assert_eq!(project.show(), before);
    project.expect(2, &["repair", "abcdefghijkl"]);
}

#[test]
fn what_no_commit_speaks_of_any_more_runs_anew() {
    let after = json!({"DependsOn": ["A"]});
    let steps = json!([lambda("A", &json!({}), &json!({})), lambda("B", &json!({}), &after)]);
    let project = Project::new(&steps);
    project.expect(0, &["run", "test"]);
    let id = id_of(&project.show());
    // The first commit claims A, the second takes its result and claims B.
    lose(&project, &id, 2);
    let said = project.expect(0, &["repair", &id]);
    assert!(said.contains("2 commits kept"), "{said}");
    let said = project.expect(0, &["run", "test"]);
    assert!(said.contains(&format!("execution {id} was interrupted")), "{said}");
    let execution = project.show();
    assert_eq!((status(&execution), id_of(&execution)), ("Succeeded", id));
    let attempts = |name: &str| step(&execution, name)["AttemptCount"].clone();
    assert_eq!((attempts("A"), attempts("B")), (json!(1), json!(2)), "{execution:#}");
}

#[test]
fn a_run_after_one_that_ended_is_a_new_one_although_head_lags_behind() {
    let project = Project::new(&json!([lambda("A", &json!({}), &json!({}))]));
    project.expect(0, &["run", "test"]);
    let first = id_of(&project.show());
    leave_head_behind(&project, &first);
    let said = project.expect(0, &["run", "test"]);
    assert!(!said.contains("was interrupted"), "{said}");
    assert_ne!(id_of(&project.show()), first);
    // The list says how the first one ended, and no process looks after it any more.
    let listed = project.expect(0, &["list"]);
    assert_eq!(listed.matches("Succeeded").count(), 2, "{listed}");
}
