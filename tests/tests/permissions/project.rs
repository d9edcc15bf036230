//! A project like the example `flights`, with every kind of thing that the engine asks for.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sidestep_core::name::PipelineName;
use sidestep_core::parse::{Format, parse};
use sidestep_core::plan::handoff::Handoff;
use sidestep_deploy::{
    Blueprint, Buckets, Code, Function, Options, PipelineUse, Place, StackName, Upload,
};
use sidestep_local::cloud::{ACCOUNT_ID, REGION};

pub(super) const STACK: &str = "air";
/// The queue of the Callback step.
pub(super) const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/approvals";
/// Where uploads that start batches go.
pub(super) const DROPS: &str = "drops/";
pub(super) const FUNCTIONS: [&str; 7] =
    ["ingest", "weather", "features", "folder", "maybe", "publish", "report"];
pub(super) fn place() -> Place {
    Place { account_id: ACCOUNT_ID.to_owned(), region: REGION.to_owned() }
}

fn step(name: &str, function: &str, arguments: &Value) -> Value {
    let uri = json!({"OutputName": "Uri", "OutputType": "String"});
    let outputs = if arguments["Artifact"].is_string() { vec![uri] } else { Vec::new() };
    json!({"Name": name, "Type": "Lambda", "FunctionArn": function, "Arguments": arguments,
        "OutputParameters": outputs})
}

fn of(name: &str) -> Value {
    json!({"Get": format!("Steps.{name}.OutputParameters['Uri']")})
}

/// Returns a pipeline like the example `flights`: inputs, artifacts, content below a prefix, an
/// object that is missing, a condition on a document, and a step with a time limit.
///
/// One step follows the other, so that it is known which of them decides what.
pub(super) fn flights(round: u32) -> Value {
    let document = json!({"Std:JsonGet": {"S3Uri": "s3://inbox/metrics.json", "Path": "rmse"}});
    let mut publish = step("Publish", "publish", &json!({"Read": of("Features")}));
    publish["TimeoutSeconds"] = 600.into();
    let mut steps = vec![
        step(
            "Ingest",
            "ingest",
            &json!({"Read": "s3://inbox/flights/2013-01.csv", "Artifact": format!("rows {round}")}),
        ),
        step(
            "Weather",
            "weather",
            &json!({"Read": "s3://inbox/weather/weather.csv", "Artifact": "hours"}),
        ),
        step(
            "Features",
            "features",
            &json!({"Read": of("Ingest"), "Weather": of("Weather"), "Artifact": "features"}),
        ),
        step("Folder", "folder", &json!({"Parts": "s3://inbox/parts/"})),
        step("Maybe", "maybe", &json!({"Option": "s3://inbox/option.csv"})),
        json!({"Name": "Gate", "Type": "Condition", "Arguments": {
            "Conditions": [{"Type": "LessThan", "LeftValue": document, "RightValue": 5}],
            "IfSteps": [publish], "ElseSteps": []}}),
    ];
    for later in 1..steps.len() {
        steps[later]["DependsOn"] = json!([steps[later - 1]["Name"]]);
    }
    json!({"Version": "2020-12-01", "CacheConfig": {"Enabled": true}, "Steps": steps})
}

/// Returns a pipeline whose step looks for an object that does not exist.
pub(super) fn lost() -> Value {
    json!({"Version": "2020-12-01", "Steps": [
        step("Report", "report", &json!({"Read": "s3://inbox/lost.csv"}))]})
}

/// Returns a pipeline that sends a message and waits for its answer.
pub(super) fn ask() -> Value {
    let step =
        json!({"Name": "Approve", "Type": "Callback", "Arguments": {}, "SqsQueueUrl": QUEUE});
    json!({"Version": "2020-12-01", "Steps": [step]})
}

/// Returns a pipeline that batches of uploads start.
pub(super) fn batch() -> Value {
    let parameter = |name: &str, kind: &str| json!({"Name": name, "Type": kind});
    let gate = json!({"Name": "Gate", "Type": "Condition", "Arguments": {"IfSteps": [], "ElseSteps": [],
        "Conditions": [{"Type": "Equals", "LeftValue": {"Get": "Parameters.Listing"}, "RightValue": "x"}]}});
    json!({"Version": "2020-12-01", "Steps": [gate],
        "Parameters": [parameter("Listing", "String"), parameter("Count", "Integer")]})
}

/// Returns the project as `deploy` would read it.
pub(super) fn blueprint(handoff: Handoff) -> Blueprint {
    let function = Function {
        code: Code::Binary,
        has_sdk: true,
        renews_leases: true,
        gets_key: false,
        memory_mb: 256,
        timeout_seconds: 60,
        environment: BTreeMap::new(),
        reads: Vec::new(),
        writes: Vec::new(),
        queues: Vec::new(),
    };
    let pipeline = |name: &str, definition: &Value, uploads: Vec<Upload>| {
        let parsed = parse(definition.to_string().as_bytes(), Format::Json).unwrap();
        let used = PipelineUse { pipeline: parsed.pipeline, uploads, schedules: Vec::new() };
        (PipelineName::parse(name).unwrap(), used)
    };
    let drops = Upload {
        bucket: "inbox".to_owned(),
        prefix: DROPS.to_owned(),
        suffix: String::new(),
        parameters: vec!["Listing".to_owned(), "Count".to_owned()],
        object_parameters: Vec::new(),
        listing_parameters: vec!["Listing".to_owned()],
    };
    Blueprint {
        stack: StackName::parse(STACK).unwrap(),
        functions: FUNCTIONS.map(|name| (name.to_owned(), function.clone())).into(),
        pipelines: [
            pipeline("test", &flights(1), Vec::new()),
            pipeline("lost", &lost(), Vec::new()),
            pipeline("ask", &ask(), Vec::new()),
            pipeline("batch", &batch(), vec![drops]),
        ]
        .into(),
        buckets: Buckets { created: ["inbox".to_owned()].into(), ..Buckets::default() },
        options: Options { handoff, ..Options::default() },
        place: Some(place()),
    }
}
