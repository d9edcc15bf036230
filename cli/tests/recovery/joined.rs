//! Several commands that run executions of one project at the same time.

use serde_json::{Value, json};

use super::project::{Project, lambda, status, step};

const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/approvals";

/// Creates a project of three pipelines: `test` waits for an answer, `work` for the file `go`, and
/// `quick` for nothing.
fn project() -> Project {
    let project = Project::new(&json!([
        {"Name": "Ask", "Type": "Callback", "SqsQueueUrl": QUEUE, "Arguments": {"n": 1}},
        lambda("Behind", &json!({}), &json!({"DependsOn": ["Ask"]})),
    ]));
    let cached = json!({"CacheConfig": {"Enabled": true, "ExpireAfter": "P1D"}});
    let then = lambda("Then", &json!({}), &json!({"DependsOn": ["Work"]}));
    let work = json!([lambda("Work", &json!({"Until": project.path("go")}), &cached), then]);
    let quick = json!([lambda("Quick", &json!({}), &json!({}))]);
    let mut settings = "[functions.step]\npackage = \"step\"\ntimeout_seconds = 60\n\
        [pipelines.test]\ndefinition = \"test.json\"\n"
        .to_owned();
    for (name, steps) in [("work", work), ("quick", quick)] {
        let definition = json!({"Version": "2020-12-01", "Steps": steps});
        project.write(&format!("{name}.json"), &definition.to_string());
        let section = format!("[pipelines.{name}]\ndefinition = \"{name}.json\"\n");
        settings.push_str(&section);
    }
    project.write("sidestep.toml", &settings);
    project
}

/// Returns the latest execution of a pipeline in the list.
fn listed(project: &Project, pipeline: &str) -> Value {
    let said = project.expect(0, &["list", pipeline, "--json"]);
    let list: Value = serde_json::from_str(&said).unwrap();
    list["PipelineExecutionSummaries"][0].clone()
}

fn id(line: &Value) -> String {
    let arn = line["PipelineExecutionArn"].as_str().unwrap();
    arn.rsplit('/').next().unwrap().to_owned()
}

fn shown(project: &Project, pipeline: &str) -> Value {
    let id = id(&listed(project, pipeline));
    serde_json::from_str(&project.expect(0, &["show", &id, "--json"])).unwrap()
}

#[test]
fn a_run_that_waits_for_an_answer_holds_up_no_other_run() {
    let project = project();
    let mut first = project.run();
    first.wait_for("sidestep callback success");
    project.expect(0, &["run", "quick"]);
    assert_eq!(status(&shown(&project, "quick")), "Succeeded");
    let waiting = listed(&project, "test");
    assert_eq!(status(&waiting), "Executing");
    assert_eq!(waiting["Interrupted"], Value::Null, "{waiting:#}");

    // One that works longer than the first keeps its attempt when the first has ended.
    let mut work = project.run_of("work");
    work.wait_for("Work  run");
    let token = project.message(QUEUE)["token"].as_str().unwrap().to_owned();
    project.expect(0, &["callback", "success", &token]);
    first.wait_for("waiting for functions that run here for other commands");
    project.write("go", "");
    assert_eq!((first.end(), work.end()), (Some(0), Some(0)));
    let worked = shown(&project, "work");
    assert_eq!(step(&worked, "Work")["AttemptCount"], 1, "{worked:#}");
    assert_eq!(step(&worked, "Then")["StepStatus"], "Succeeded");
    assert_eq!(status(&shown(&project, "test")), "Succeeded");
}

#[test]
fn a_run_goes_on_when_the_command_that_it_joined_has_ended() {
    let project = project();
    let mut work = project.run_of("work");
    work.wait_for("Work  run");
    let mut asking = project.run();
    asking.wait_for("sidestep callback success");
    let mut again = project.run_of("work");
    again.wait_for("does the same: waiting until it ends");
    project.write("go", "");
    assert_eq!((work.end(), again.end()), (Some(0), Some(0)), "neither waits for the answer");
    assert_eq!(step(&shown(&project, "work"), "Work")["Decision"], "CacheHit");

    project.until("it is driven again", |asked| asked["Interrupted"].is_null());
    let token = project.message(QUEUE)["token"].as_str().unwrap().to_owned();
    project.expect(0, &["callback", "success", &token]);
    assert_eq!(asking.end(), Some(0));
    let asked = shown(&project, "test");
    assert_eq!((status(&asked), &step(&asked, "Behind")["AttemptCount"]), ("Succeeded", &json!(1)));
}

#[test]
fn an_execution_that_no_process_drives_is_called_interrupted() {
    let project = project();
    let mut first = project.run();
    first.wait_for("sidestep callback success");
    let token = project.message(QUEUE)["token"].as_str().unwrap().to_owned();
    let mut second = project.run_of("work");
    second.wait_for("Work  run");
    first.signal("KILL");
    assert_eq!(first.end(), None);
    project.write("go", "");
    assert_eq!(second.end(), Some(0), "it goes on although the owner was killed");

    let line = listed(&project, "test");
    assert_eq!((status(&line), &line["Interrupted"]), ("Executing", &json!(true)));
    assert!(project.expect(0, &["list", "test"]).contains("interrupted"));
    let ask = id(&line);
    assert!(project.expect(0, &["show", &ask]).contains("test interrupted in"));
    project.expect(0, &["stop", &ask]);
    let line = listed(&project, "test");
    assert_eq!((status(&line), &line["Interrupted"]), ("Stopping", &json!(true)));
    assert!(project.expect(0, &["list", "test"]).contains("Stopping, interrupted"));

    let is_seen = |_: &Value| shown(&project, "test")["Summary"]["InterruptedMs"].is_u64();
    project.until("the time without a process is seen", is_seen);
    let idle = shown(&project, "test");
    let driven = idle["Summary"]["DurationMs"].as_u64().unwrap();
    let later = shown(&project, "test");
    assert_eq!(later["Summary"]["DurationMs"].as_u64().unwrap(), driven, "it stands still");
    project.expect(0, &["callback", "success", &token]);
    let over = shown(&project, "test");
    assert_eq!((status(&over), &over["Interrupted"]), ("Stopped", &Value::Null));
    assert_eq!(over["Summary"]["DurationMs"].as_u64().unwrap(), driven);
}
