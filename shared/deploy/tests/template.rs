//! What a template must contain for a deployment to work.

use std::process::Command;

use serde_json::{Value, json};
use sidestep_core::name::PipelineName;
use sidestep_deploy::{Blueprint, Place, SynthesisError, synthesise};
use sidestep_testkit::python::{environment, program, target_folder};

use crate::fixture;

/// The version of cfn-lint under which the templates are clean.
const CFN_LINT: &str = "cfn-lint==1.58.0";

fn template(blueprint: &Blueprint) -> Value {
    synthesise(blueprint).expect("a template")
}

#[test]
fn the_example_has_this_template() {
    let text = serde_json::to_string_pretty(&template(&fixture::flights())).expect("JSON");
    insta::assert_snapshot!(text);
}

#[test]
fn the_job_function_may_make_the_jobs_of_the_definitions_and_pass_their_roles() {
    let with_jobs = template(&fixture::jobs());
    let statements =
        &with_jobs["Resources"]["JobsPolicy"]["Properties"]["PolicyDocument"]["Statement"];
    let job = |kind: &str, name: &str| {
        json!({"Fn::Sub": format!(
            "arn:${{AWS::Partition}}:sagemaker:${{AWS::Region}}:${{AWS::AccountId}}:{kind}/{name}")})
    };
    let expected = json!([
        {"Sid": "ProcessingJob", "Effect": "Allow", "Resource": job("processing-job", "pipelines-*"),
         "Action": ["sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob",
                    "sagemaker:StopProcessingJob", "sagemaker:AddTags"]},
        {"Sid": "TrainingJob", "Effect": "Allow", "Resource": job("training-job", "my?jobs*"),
         "Action": ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob",
                    "sagemaker:StopTrainingJob", "sagemaker:AddTags"]},
        {"Sid": "Roles", "Effect": "Allow", "Action": "iam:PassRole",
         "Resource": ["arn:aws:iam::123456789012:role/prepare", "arn:aws:iam::123456789012:role/train"],
         "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}}]);
    assert_eq!(*statements, expected);
    let pattern = &with_jobs["Resources"]["TrainingJobEnds"]["Properties"]["EventPattern"];
    assert_eq!(pattern["detail-type"], json!(["SageMaker Training Job State Change"]));
    assert_eq!(pattern["detail"]["TrainingJobStatus"], json!(["Completed", "Failed", "Stopped"]));
    let engine = with_jobs["Resources"]["EnginePolicy"]["Properties"].to_string();
    assert!(engine.contains("acme-lake/raw*") && engine.contains("acme-lake/models*"), "{engine}");
    assert!(engine.contains("JobsRole") && engine.contains("function:jobs-job"), "{engine}");
    assert!(with_jobs["Parameters"]["JobCode"].is_object());
    let without = template(&fixture::everything());
    assert!(
        without["Resources"].get("Jobs").is_none()
            && without["Parameters"].get("JobCode").is_none()
    );
}

#[test]
fn cfn_lint_finds_nothing() {
    let Some(python) = environment(&target_folder(), "cfn-lint", &[CFN_LINT]) else { return };
    let folder = target_folder().join("python");
    let mut files = vec![std::path::PathBuf::from("../../infra/code.yaml")];
    for (name, blueprint) in [
        ("flights", fixture::flights()),
        ("everything", fixture::everything()),
        ("jobs", fixture::jobs()),
    ] {
        let file = folder.join(format!("{name}.{}.template.json", std::process::id()));
        std::fs::write(&file, template(&blueprint).to_string()).expect("target/ can be written");
        files.push(file);
    }
    let lint = Command::new(program(&python, "cfn-lint")).args(&files).output().expect("cfn-lint");
    for file in files.iter().skip(1) {
        std::fs::remove_file(file).expect("it was written");
    }
    let said = String::from_utf8_lossy(&lint.stdout).into_owned();
    assert!(lint.status.success(), "{said}{}", String::from_utf8_lossy(&lint.stderr));
}

#[test]
fn no_resource_waits_for_itself() {
    for blueprint in [fixture::flights(), fixture::everything(), fixture::jobs()] {
        let template = template(&blueprint);
        let resources = template["Resources"].as_object().expect("resources");
        let mut settled: Vec<&String> = Vec::new();
        while settled.len() < resources.len() {
            let ready = |id: &&String| {
                !settled.contains(id)
                    && mentions(&resources[*id])
                        .iter()
                        .all(|on| !resources.contains_key(on) || settled.contains(&on))
            };
            let next: Vec<_> = resources.keys().filter(ready).collect();
            assert!(!next.is_empty(), "these wait for each other: {:?}", {
                resources.keys().filter(|id| !settled.contains(id)).collect::<Vec<_>>()
            });
            settled.extend(next);
        }
    }
}

/// Returns the names of resources that a resource refers to.
fn mentions(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("Ref" | "DependsOn", Value::String(id)) => found.push(id.clone()),
                    ("Fn::GetAtt", Value::Array(path)) => {
                        found.extend(path[0].as_str().map(str::to_owned));
                    }
                    ("Fn::Sub", Value::String(text)) => {
                        let names = text
                            .split("${")
                            .skip(1)
                            .filter_map(|rest| rest.split(['}', '.']).next());
                        found.extend(names.map(str::to_owned));
                    }
                    (_, member) => found.extend(mentions(member)),
                }
            }
        }
        Value::Array(values) => found.extend(values.iter().flat_map(mentions)),
        _ => {}
    }
    found
}

#[test]
fn every_step_function_reports_at_its_first_failure() {
    for blueprint in [fixture::flights(), fixture::everything()] {
        let template = template(&blueprint);
        let resources = template["Resources"].as_object().expect("resources");
        let configured = |function: &str| {
            resources.values().find(|resource| {
                resource["Type"] == "AWS::Lambda::EventInvokeConfig"
                    && resource["Properties"]["FunctionName"]["Ref"] == function
            })
        };
        let steps = resources.iter().filter(|(id, resource)| {
            id.starts_with("Step") && resource["Type"] == "AWS::Lambda::Function"
        });
        let mut count = 0;
        for (id, _) in steps {
            count += 1;
            let properties = &configured(id).expect("it has a configuration")["Properties"];
            assert_eq!(properties["MaximumRetryAttempts"], 0, "{id}");
            let destination = &properties["DestinationConfig"]["OnFailure"]["Destination"];
            assert_eq!(*destination, json!({ "Fn::GetAtt": ["Reports", "Arn"] }), "{id}");
        }
        assert_eq!(count, blueprint.functions.len());
    }
}

#[test]
fn only_what_a_chain_visits_often_may_recur() {
    let may_recur = |blueprint: &Blueprint| -> Vec<String> {
        let template = template(blueprint);
        let resources = template["Resources"].as_object().expect("resources");
        let allowed = resources
            .iter()
            .filter(|(_, resource)| resource["Properties"]["RecursiveLoop"] == "Allow");
        allowed.map(|(id, _)| id.clone()).collect()
    };
    assert_eq!(may_recur(&fixture::flights()), ["Planner"]);
    // Six steps of one function, three attempts each.
    assert_eq!(may_recur(&fixture::everything()), ["Planner", "StepWorkEr"]);
}

#[test]
fn the_planner_may_send_to_the_queues_of_callback_steps_and_to_its_timers() {
    let template = template(&fixture::everything());
    let statements = &template["Resources"]["EnginePolicy"]["Properties"]["PolicyDocument"];
    let resource = |sid: &str| {
        let mut statements = statements["Statement"].as_array().unwrap().iter();
        let statement = statements.find(|statement| statement["Sid"] == sid).unwrap();
        assert_eq!(statement["Action"], "sqs:SendMessage");
        statement["Resource"].clone()
    };
    let arn = "arn:${AWS::Partition}:sqs:eu-west-1:123456789012:approvals";
    assert_eq!(resource("Callbacks"), json!({ "Fn::Sub": arn }));
    assert_eq!(resource("Timers"), json!({ "Fn::GetAtt": ["Timers", "Arn"] }));
}

#[test]
fn the_planner_may_read_what_conditions_look_at_and_steps_may_not() {
    let blueprint = fixture::conditions();
    let template = template(&blueprint);
    let statements = |id: &str| template["Resources"][id]["Properties"].to_string();
    let engine = statements("EnginePolicy");
    for read in ["reference/table.csv", "reference/parts/*", "metrics/m.json", "metrics/when.csv"] {
        assert!(engine.contains(read), "{read}: {engine}");
    }
    assert!(!engine.contains("compared"), "a URI that is compared is a text: {engine}");
    assert!(!statements("StepWorkRole").contains("reference"));
}

#[test]
fn the_engine_may_put_events_on_the_bus_that_is_named_and_on_none_otherwise() {
    let text = template(&fixture::flights()).to_string();
    assert!(!text.contains("events:PutEvents") && !text.contains("SIDESTEP_EVENT_BUS"));
    let template = template(&fixture::everything());
    let document = &template["Resources"]["EnginePolicy"]["Properties"]["PolicyDocument"];
    let statements = document["Statement"].as_array().unwrap();
    let puts: Vec<_> =
        statements.iter().filter(|one| one.to_string().contains("events:PutEvents")).collect();
    let bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/pipelines";
    assert_eq!(
        puts,
        [
            &json!({ "Sid": "Events", "Effect": "Allow", "Action": "events:PutEvents", "Resource": { "Fn::Sub": bus } })
        ]
    );
    assert_eq!(template.to_string().matches("events:PutEvents").count(), 1);
    for function in ["Planner", "Trigger"] {
        let variables = &template["Resources"][function]["Properties"]["Environment"]["Variables"];
        assert_eq!(variables["SIDESTEP_EVENT_BUS"], "pipelines", "{function}");
    }
}

#[test]
fn names_begin_with_the_stack_so_that_two_live_side_by_side() {
    let template = template(&fixture::everything());
    let mut count = 0;
    for (id, resource) in template["Resources"].as_object().expect("resources") {
        let names = resource["Properties"].as_object().expect("properties").iter();
        let own = [
            "FunctionName",
            "QueueName",
            "TableName",
            "BucketName",
            "AlarmName",
            "LogGroupName",
            "Name",
        ];
        for (property, name) in names.filter(|(property, _)| own.contains(&property.as_str())) {
            let text = name["Fn::Sub"].as_str().or(name.as_str()).unwrap_or_default();
            let is_reference = name.get("Ref").is_some();
            let has_prefix = text.starts_with("lake-9-") || text.starts_with("/aws/lambda/lake-9-");
            assert!(is_reference || has_prefix || text == "lake-9", "{id} {property} {name}");
            count += usize::from(has_prefix);
        }
    }
    assert!(count >= 10, "only {count} names begin with the stack's");
}

#[test]
fn the_alarm_about_stuck_executions_counts_a_line_that_the_sweep_logs() {
    let template = template(&fixture::flights());
    let pattern = template["Resources"]["StuckFilter"]["Properties"]["FilterPattern"].as_str();
    let sweep = include_str!("../../engine/src/sweep/mod.rs");
    assert!(sweep.contains(pattern.expect("a pattern")), "{pattern:?}");
}

#[test]
fn a_project_that_does_not_fit_into_a_stack_is_refused() {
    let with = |name: &str| {
        let mut blueprint = fixture::flights();
        blueprint.functions.insert(name.to_owned(), fixture::function(fixture::python()));
        synthesise(&blueprint).expect_err("refused")
    };
    assert_eq!(with("planner"), SynthesisError::Reserved("planner".to_owned()));
    assert_eq!(with(&"x".repeat(57)), SynthesisError::LongName("x".repeat(57)));
    let same = SynthesisError::SameId { one: "in-gest".to_owned(), other: "inGest".to_owned() };
    let mut blueprint = fixture::flights();
    for name in ["inGest", "in-gest"] {
        blueprint.functions.insert(name.to_owned(), fixture::function(fixture::python()));
    }
    assert_eq!(synthesise(&blueprint), Err(same));

    let mut blueprint = fixture::flights();
    blueprint.functions.remove("train");
    let refused = synthesise(&blueprint).expect_err("refused").to_string();
    assert!(refused.contains("`Train`") && refused.contains("`train`"), "{refused}");
}

#[test]
fn names_of_what_outlives_the_stack_are_texts_and_a_failed_creation_keeps_none_of_it() {
    for mut blueprint in [fixture::flights(), fixture::everything()] {
        blueprint.place =
            Some(Place { account_id: "123456789012".to_owned(), region: "eu-west-1".to_owned() });
        let template = template(&blueprint);
        let mut kept = 0;
        for (id, resource) in template["Resources"].as_object().expect("resources") {
            let policy = resource["DeletionPolicy"].as_str().unwrap_or_default();
            // What a failed creation keeps would be in the way of the next one.
            assert!(["", "Delete", "RetainExceptOnCreate"].contains(&policy), "{id}: {policy}");
            let properties = resource["Properties"].as_object().expect("properties");
            for (name, value) in properties.iter().filter(|(name, _)| name.ends_with("Name")) {
                let is_kept = policy == "RetainExceptOnCreate";
                assert!(!is_kept || value.is_string(), "{id} {name}: {value}");
                kept += usize::from(is_kept);
            }
        }
        assert!(kept >= 2, "the table and the artifact bucket: {kept}");
        let text = template.to_string();
        for pseudo in ["StackName", "AccountId", "Region", "Partition"] {
            assert!(!text.contains(&format!("AWS::{pseudo}")), "{pseudo}: {text}");
        }
    }
}

#[test]
fn two_that_would_get_one_id_are_refused_whatever_they_are() {
    // Each pair of names and what the second of them replaced: a role, a log group, a queue.
    for (one, other) in [("f", "f-role"), ("f", "f-logs"), ("f", "f-reports"), ("a-b", "aB")] {
        let mut blueprint = fixture::flights();
        for name in [one, other] {
            let function = fixture::function(fixture::python());
            blueprint.functions.insert(name.to_owned(), function);
        }
        let refused = synthesise(&blueprint).expect_err("refused").to_string();
        assert!(refused.contains(one) && refused.contains(other), "{refused}");
    }
    // A pipeline's rule and a function.
    let mut blueprint = fixture::flights();
    let uploads = std::mem::take(&mut blueprint.pipelines);
    for (_, pipeline) in uploads {
        let name = PipelineName::parse("step-f").expect("legal");
        blueprint.pipelines.insert(name, pipeline);
    }
    let function = fixture::function(fixture::python());
    blueprint.functions.insert("f-upload0".to_owned(), function);
    let refused = synthesise(&blueprint).expect_err("refused").to_string();
    assert!(refused.contains("step-f") && refused.contains("f-upload0"), "{refused}");
}

#[test]
fn tracing_is_on_for_every_function_or_for_none() {
    let modes = |blueprint: &Blueprint| -> Vec<Value> {
        let template = template(blueprint);
        let resources = template["Resources"].as_object().expect("resources");
        let functions = resources.values().filter(|one| one["Type"] == "AWS::Lambda::Function");
        functions.map(|one| one["Properties"]["TracingConfig"]["Mode"].clone()).collect()
    };
    let on = modes(&fixture::everything());
    assert!(on.len() >= 3 && on.iter().all(|mode| mode == "Active"), "{on:?}");
    let off = modes(&fixture::flights());
    assert!(off.len() >= 3 && off.iter().all(Value::is_null), "{off:?}");
}
