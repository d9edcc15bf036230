//! Stopping executions, and taking them up again.

use serde_json::{Value, json};

use super::project::{Project, lambda, status, step};

/// Returns two steps: A waits for a file, B follows it.
fn two_steps(project: &Project) -> Value {
    let waits = json!({"Until": project.path("go")});
    let after = json!({"DependsOn": ["A"]});
    json!([lambda("A", &waits, &json!({})), lambda("B", &json!({}), &after)])
}

fn project_of_two() -> Project {
    let project = Project::new(&json!([]));
    let steps = two_steps(&project);
    project.define(&json!({"Version": "2020-12-01", "Steps": steps}));
    project
}

#[test]
fn a_stop_from_another_terminal_lets_the_running_step_finish() {
    let project = project_of_two();
    let running = project.run();
    project.until("A runs", |execution| execution["Steps"][0]["StepStatus"] == "Executing");
    let said = project.expect(0, &["stop", "latest"]);
    assert!(said.ends_with("is Stopping\n"), "{said}");
    project.write("go", "");
    assert_eq!(running.end(), Some(1), "it did not succeed");
    let execution = project.show();
    assert_eq!(status(&execution), "Stopped");
    assert_eq!(step(&execution, "A")["StepStatus"], "Succeeded");
    assert!(step(&execution, "B").get("StepStatus").is_none(), "{execution:#}");
    let said = project.expect(2, &["stop", "latest"]);
    assert!(said.contains("it has already ended (Stopped)"), "{said}");
    assert_eq!(said.matches("already ended").count(), 1, "a cause is told once: {said}");

    project.expect(0, &["retry", "latest"]);
    let execution = project.show();
    assert_eq!(status(&execution), "Succeeded");
    assert_eq!(step(&execution, "A")["AttemptCount"], 1, "what succeeded stays");
    assert_eq!(step(&execution, "B")["AttemptCount"], 1);
}

#[test]
fn an_interrupted_execution_is_stopped_at_once_and_can_be_taken_up_again() {
    let project = project_of_two();
    let running = project.run();
    project.until("A runs", |execution| execution["Steps"][0]["StepStatus"] == "Executing");
    running.signal("INT");
    assert_eq!(running.end(), Some(130));
    let said = project.expect(0, &["stop", "latest"]);
    assert!(said.ends_with("is Stopped\n"), "{said}");
    project.write("go", "");
    project.expect(0, &["retry", "latest"]);
    let execution = project.show();
    assert_eq!(
        (status(&execution), &step(&execution, "A")["AttemptCount"]),
        ("Succeeded", &json!(2))
    );
}

#[test]
fn a_failed_execution_is_taken_up_again_with_the_code_it_began_with() {
    let project = Project::new(&json!([]));
    let fails = json!({"Fail": "1", "Count": project.path("count")});
    let after = json!({"DependsOn": ["A"]});
    let steps = json!([lambda("A", &json!({}), &json!({})), lambda("B", &fails, &after)]);
    project.define(&json!({"Version": "2020-12-01", "Steps": steps}));
    project.expect(1, &["run", "test"]);
    let settings = std::fs::read_to_string(project.path("sidestep.toml")).unwrap();
    let edited = settings.replacen("package", "environment = { XY = \"1\" }\npackage", 1);
    project.write("sidestep.toml", &edited);
    let said = project.expect(2, &["retry", "latest"]);
    assert!(said.contains("other code of function"), "{said}");

    project.write("sidestep.toml", &settings);
    project.expect(0, &["retry", "latest"]);
    let execution = project.show();
    let attempts = |name: &str| step(&execution, name)["AttemptCount"].clone();
    assert_eq!((attempts("A"), attempts("B")), (json!(1), json!(2)));
    let said = project.expect(2, &["retry", "latest"]);
    assert!(
        said.contains("only a Failed, CompletedWithFailures or Stopped one can be retried"),
        "{said}"
    );
}

#[test]
fn an_execution_that_ended_in_a_fail_step_is_refused() {
    let fail = json!({"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "enough"}});
    let project = Project::new(&json!([fail]));
    project.expect(1, &["run", "test"]);
    let said = project.expect(2, &["retry", "latest"]);
    assert!(said.contains("it ended in a Fail step, and would end there again"), "{said}");
}

#[test]
fn another_pipelines_run_neither_fails_nor_drives_an_interrupted_execution() {
    let project = project_of_two();
    let running = project.run();
    project.until("A runs", |execution| execution["Steps"][0]["StepStatus"] == "Executing");
    let id = project.show()["PipelineExecutionArn"].as_str().unwrap().to_owned();
    let show =
        || -> Value { serde_json::from_str(&project.expect(0, &["show", &id, "--json"])).unwrap() };
    running.signal("KILL");
    assert_eq!(running.end(), None);
    let check = json!({"Name": "Check", "Type": "Condition",
        "Arguments": {"Conditions": [], "IfSteps": [], "ElseSteps": []}});
    project.write("other.json", &json!({"Version": "2020-12-01", "Steps": [check]}).to_string());
    project.expect(0, &["run", "other.json"]);
    let shown = show();
    assert_eq!(status(&shown), "Executing", "{shown:#}");
    project.write("go", "");
    project.expect(0, &["run", "test"]);
    let shown = show();
    assert_eq!(status(&shown), "Succeeded", "{shown:#}");
}
