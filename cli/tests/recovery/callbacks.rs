//! Callback steps, answered from another terminal.

use serde_json::{Value, json};

use super::project::{Project, lambda, status, step};

const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/approvals";

/// Creates a project of the corpus's definition, with functions for its steps.
fn approval() -> Project {
    let project = Project::new(&json!([]));
    let corpus = include_str!("../../../tests/fixtures/corpus/callback-approval.json");
    project.define(&serde_json::from_str(corpus).unwrap());
    project.write(
        "sidestep.toml",
        "[engine]\nrights = \"enforce\"\n[functions.build-candidate]\npackage = \"step\"\n\
         environment = { ANSWER = '{\"candidate\":\"m-7\",\"score\":0.5}' }\n\
         [functions.deploy]\npackage = \"step\"\n[pipelines.test]\ndefinition = \"test.json\"\n",
    );
    project
}

/// Creates a project of a Callback step `Ask` with one output, and the steps in `more`.
fn ask(more: &Value) -> Project {
    let mut ask = json!({"Name": "Ask", "Type": "Callback", "SqsQueueUrl": QUEUE, "Arguments": {"n": 1},
        "OutputParameters": [{"OutputName": "n", "OutputType": "Integer"}]});
    for (key, value) in more.as_object().unwrap() {
        ask[key] = value.clone();
    }
    let n = json!({"n": {"Get": "Steps.Ask.OutputParameters['n']"}});
    Project::new(&json!([ask, lambda("B", &n, &json!({}))]))
}

fn token(message: &Value) -> String {
    message["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_callback_is_answered_while_the_run_waits() {
    let project = approval();
    let mut running = project.run();
    let line = running.wait_for("sidestep callback success");
    let message = project.message(QUEUE);
    let token = token(&message);
    assert!(line.contains(&token), "{line}");
    assert_eq!(message["status"], "Executing");
    assert_eq!(message["pipelineExecutionArn"], project.show()["PipelineExecutionArn"]);
    let arguments = &message["arguments"];
    assert_eq!((&arguments["candidate"], &arguments["score"]), (&json!("m-7"), &json!(0.5)));
    assert_eq!(arguments["approvers"], "ml-leads");

    let said = project.expect(2, &["callback", "success", "AAAAAAAAAA", "-o", "ticket=7"]);
    assert!(said.contains("no callback step waits for token"), "{said}");
    let said = project.expect(2, &["callback", "success", &token, "-o", "colour=red"]);
    assert!(said.contains("has no output `colour` (outputs: decision, ticket)"), "{said}");
    let said = project.expect(2, &["callback", "success", &token, "-o", "ticket=many"]);
    assert!(said.contains("output `ticket`"), "{said}");
    project.expect(0, &["callback", "success", &token, "-o", "decision=approve", "-o", "ticket=7"]);
    assert_eq!(running.end(), Some(0));

    let execution = project.show();
    assert_eq!(step(&execution, "AskHuman")["OutputParameters"]["ticket"], 7);
    assert_eq!(step(&execution, "Deploy")["StepStatus"], "Succeeded");
    let said = project.expect(2, &["callback", "failure", &token]);
    assert!(said.contains("is not waiting any more"), "{said}");
}

#[test]
fn an_answer_without_an_output_that_is_read_is_refused_and_undeclared_ones_are_ignored() {
    let project = ask(&json!({}));
    let mut running = project.run();
    running.wait_for("sidestep callback success");
    let token = token(&project.message(QUEUE));
    let said = project.expect(2, &["callback", "success", &token]);
    let why = "output `n` is declared and was not returned, and step `B` reads it";
    assert!(said.contains(why), "{said}");
    let said = project.expect(2, &["callback", "success", &token, "-o", "colour=red"]);
    assert!(said.contains("has no output `colour` (outputs: n)"), "{said}");
    let said = project.expect(0, &["callback", "success", &token, "-o", "n=3", "-o", "colour=red"]);
    assert!(said.contains("does not declare output `colour`, which is ignored"), "{said}");
    assert_eq!(running.end(), Some(0));
    assert_eq!(step(&project.show(), "Ask")["OutputParameters"], json!({"n": 3}));
}

#[test]
fn a_callback_that_is_answered_with_a_failure_fails_its_step() {
    let project = ask(&json!({}));
    let mut running = project.run();
    running.wait_for("sidestep callback success");
    let token = token(&project.message(QUEUE));
    project.expect(0, &["callback", "failure", &token, "--reason", "not today"]);
    assert_eq!(running.end(), Some(1));
    let execution = project.show();
    let ask = step(&execution, "Ask");
    assert_eq!(ask["FailureType"], "Sidestep.CallbackFailed");
    assert_eq!(ask["FailureReason"], "not today");
}

#[test]
fn a_callback_without_an_answer_in_time_fails() {
    let project = ask(&json!({"TimeoutSeconds": 1}));
    project.expect(1, &["run", "test"]);
    assert_eq!(step(&project.show(), "Ask")["FailureType"], "Sidestep.Timeout");
}

#[test]
fn a_stop_tells_the_queue_and_the_answer_ends_the_execution() {
    let project = ask(&json!({}));
    let mut running = project.run();
    running.wait_for("sidestep callback success");
    let first = project.message(QUEUE);
    project.expect(0, &["stop", "latest"]);
    let second = project.message(QUEUE);
    assert_eq!((&second["status"], &second["token"]), (&json!("Stopping"), &first["token"]));
    project.expect(0, &["callback", "success", &token(&first), "-o", "n=1"]);
    assert_eq!(running.end(), Some(1));
    assert_eq!(status(&project.show()), "Stopped");
}

#[test]
fn an_interrupted_run_can_be_answered_and_goes_on_later() {
    let project = ask(&json!({}));
    let mut running = project.run();
    running.wait_for("sidestep callback success");
    let token = token(&project.message(QUEUE));
    running.signal("INT");
    assert_eq!(running.end(), Some(130));
    project.expect(0, &["callback", "success", &token, "-o", "n=5"]);
    let between = project.show();
    assert_eq!(step(&between, "Ask")["StepStatus"], "Succeeded");
    assert_eq!(status(&between), "Executing", "without its function B waits: {between:#}");
    let said = project.expect(0, &["run", "test"]);
    assert!(said.contains("continuing it"), "{said}");
    let execution = project.show();
    assert_eq!(step(&execution, "Ask")["OutputParameters"]["n"], 5);
    assert_eq!(step(&execution, "B")["AttemptCount"], 1);
}

#[test]
fn a_run_taken_up_again_still_waits_for_the_same_answer() {
    let project = ask(&json!({}));
    let mut running = project.run();
    running.wait_for("sidestep callback success");
    let token = token(&project.message(QUEUE));
    running.signal("KILL");
    assert_eq!(running.end(), None);
    let mut running = project.run();
    running.wait_for("continuing it");
    running.wait_for(&token);
    project.expect(0, &["callback", "success", &token, "-o", "n=5"]);
    assert_eq!(running.end(), Some(0));
    assert_eq!(step(&project.show(), "Ask")["AttemptCount"], 1);
}
