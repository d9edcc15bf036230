//! Executions on the embedded cloud whose requests are recorded as IAM would see them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use sidestep_aws::counter::Counter;
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::recorder::Recorder;
use sidestep_core::event::trigger::Trigger;
use sidestep_core::execution::trace::TRACE_BUCKET;
use sidestep_core::name::PipelineName;
use sidestep_core::parse::Format;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::uri::S3Uri;
use sidestep_deploy::LogicalId;
use sidestep_deploy::iam::Request;
use sidestep_engine::handle::sqs_batch::Consumer;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::objects::ObjectStore as _;
use sidestep_engine::start::StartRequest;
use sidestep_engine::sweep::Leases;
use sidestep_local::cloud::{ACCOUNT_ID, REGION, config_of};
use sidestep_local::deployment::{Planner, create_queues, local_engine};
use sidestep_local::lambda::{Code as LocalCode, FunctionConfig};

use super::project::{DROPS, FUNCTIONS, QUEUE, STACK, ask, batch, flights, lost};
use crate::setup::{self, Setup};

/// What exists before the first execution.
const OBJECTS: [(&str, &str); 4] = [
    ("s3://inbox/flights/2013-01.csv", "1,2"),
    ("s3://inbox/weather/weather.csv", "3,4"),
    ("s3://inbox/parts/one.csv", "5"),
    ("s3://inbox/metrics.json", r#"{"rmse": 3}"#),
];

/// The requests of each role.
pub(super) type Calls = BTreeSet<(String, Request)>;

/// Returns S3's event of an upload, whose batch has ended meanwhile.
fn upload(key: &str) -> Value {
    let object = json!({"key": key, "size": 1, "eTag": "e", "sequencer": "01"});
    json!({"Records": [{"eventName": "ObjectCreated:Put", "eventTime": "2023-11-14T22:13:20.000Z",
        "s3": {"bucket": {"name": "inbox"}, "object": object}}]})
}

/// Registers the trigger as `deploy` does, without a record.
async fn register_trigger(setup: &Setup) {
    let engine = local_engine(setup.cloud.endpoints(), EngineOptions::default());
    let definition = Definition { text: batch().to_string(), format: Format::Json };
    let parameters = [("Listing", "$.listing"), ("Count", "$.count")];
    let trigger = Trigger {
        pipeline_name: PipelineName::parse("batch").unwrap(),
        definition_digest: engine.register(&definition).await.unwrap(),
        definition_format: Format::Json,
        bucket: "inbox".to_owned(),
        prefix: DROPS.to_owned(),
        suffix: String::new(),
        parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        batch_seconds: Some(60),
        left_out: BTreeMap::new(),
    };
    engine.replace_triggers(&[trigger]).await.unwrap();
}

/// Runs the pipelines on a road and returns every request that the planner and the steps made.
pub(super) async fn calls(handoff: Handoff) -> Calls {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let recorder = Recorder::open(&file("planner"), REGION, ACCOUNT_ID).unwrap();
    let counter = Counter::new("planner").recorded(Some(recorder));
    let functions = FUNCTIONS.map(|name| recorded_function(name, &file(name)));
    let setup = Setup::new(Planner::Counted(counter), handoff, functions.into()).await;
    run_all(&setup).await;
    let load = || setup.cloud.lambda().load();
    setup::eventually("the functions rest", || load().running + load().queued == 0).await;

    let mut calls = read(&file("planner"), &["PlannerRole", "TriggerRole"]);
    for name in FUNCTIONS {
        calls.extend(read(&file(name), &[&role(name)]));
    }
    calls
}

/// Lets every kind of thing happen once.
async fn run_all(setup: &Setup) {
    let objects = put_objects(setup).await;
    for round in [1, 2, 2] {
        let ended = setup.run(setup::request(&flights(round))).await;
        assert_eq!(ended.pipeline_execution_status, "Succeeded", "{ended:#?}");
        // A cached result whose artifact is missing is looked for in vain.
        let weather = ended.steps.iter().find(|step| step.step_name == "Weather").unwrap();
        let uri = weather.output_parameters["Uri"].as_str().unwrap();
        objects.delete(&S3Uri::parse(uri).unwrap()).await.unwrap();
    }
    let ended = setup.run(request("lost", &lost())).await;
    assert_eq!(ended.pipeline_execution_status, "Failed", "{ended:#?}");
    let prepared = setup.engine.prepare(request("ask", &ask())).await.unwrap();
    setup.engine.begin(prepared).await.unwrap();
    register_trigger(setup).await;
    for key in ["drops/a.csv", "drops/b.csv"] {
        setup.engine.consume(Consumer::Trigger, upload(key)).await.unwrap();
    }
    setup.engine.sweep(Leases::ByTime).await.unwrap();
}

/// Asks for a pipeline other than `test`.
fn request(pipeline_name: &str, definition: &Value) -> StartRequest {
    let pipeline_name = PipelineName::parse(pipeline_name).unwrap();
    StartRequest { pipeline_name, ..setup::request(definition) }
}

/// Returns the id of a function's role in the template.
pub(super) fn role(function: &str) -> String {
    LogicalId::of_function(function).with("Role")
}

fn recorded_function(name: &str, path: &Path) -> FunctionConfig {
    let mut function = setup::sdk_function(name, env!("CARGO_BIN_EXE_noop-step"));
    if let LocalCode::Process(command) = &mut function.code {
        let variables =
            [("SIDESTEP_COUNT", "1".to_owned()), ("SIDESTEP_RECORD", path.display().to_string())];
        command.environment.extend(variables.map(|(name, value)| (name.to_owned(), value)));
    }
    function
}

async fn put_objects(setup: &Setup) -> S3ObjectStore {
    create_queues(setup.cloud.endpoints(), [QUEUE]).await.unwrap();
    setup.cloud.s3().create_bucket("inbox").await.unwrap();
    let endpoint = &setup.cloud.endpoints().s3;
    let config = config_of(&setup.cloud.endpoints().credentials)
        .into_builder()
        .endpoint_url(endpoint)
        .build();
    let store = S3ObjectStore::new(&config);
    for (uri, text) in OBJECTS {
        store.replace(&S3Uri::parse(uri).unwrap(), text.into()).await.unwrap();
    }
    store
}

/// Reads a record as the requests of roles.
fn read(path: &Path, roles: &[&str]) -> Calls {
    let text = std::fs::read_to_string(path).unwrap();
    let mut calls = Calls::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let resource = line["Resource"].as_str().unwrap();
        // The embedded S3 traces what steps do; S3 itself does not.
        if resource.contains(TRACE_BUCKET) {
            continue;
        }
        let action = line["Action"].as_str().unwrap();
        let mut request =
            Request::new(action, in_account(resource)).with("aws:SecureTransport", &["true"]);
        let context: BTreeMap<String, Vec<String>> =
            serde_json::from_value(line["Context"].clone()).unwrap();
        for (key, values) in &context {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            request = request.with(key, &values);
        }
        calls.extend(roles.iter().map(|role| ((*role).to_owned(), request.clone())));
    }
    calls
}

/// Converts an ARN of the embedded cloud to the one in an account.
fn in_account(arn: &str) -> String {
    let bucket = |name: &str| format!("arn:aws:s3:::{STACK}-{name}-{ACCOUNT_ID}-{REGION}");
    let (place, resource) = arn.rsplit_once(&format!(":{ACCOUNT_ID}:")).unwrap_or(("", arn));
    let kept = |resource: String| format!("{place}:{ACCOUNT_ID}:{resource}");
    if let Some(key) = arn.strip_prefix("arn:aws:s3:::sidestep-artifacts") {
        return bucket("artifacts") + key;
    }
    if let Some(key) = arn.strip_prefix("arn:aws:s3:::inbox") {
        return bucket("inbox") + key;
    }
    if let Some(table) = resource.strip_prefix("table/sidestep") {
        return kept(format!("table/{STACK}{table}"));
    }
    if let Some(function) = resource.strip_prefix("function:") {
        let (name, version) = function.split_once(':').unwrap_or((function, "live"));
        return kept(format!("function:{STACK}-{name}:{version}"));
    }
    if let Some(queue) = resource.strip_prefix("sidestep-") {
        return kept(format!("{STACK}-{queue}"));
    }
    if arn.ends_with(":approvals") {
        return arn.to_owned();
    }
    panic!("`{arn}` has no place in a stack");
}
