//! The stores over services that are not ours: emulators.
//!
//! They pass the same suites as in memory and on the embedded cloud. The example `account` runs the
//! suites in an AWS account.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidestep_aws::deploy::{Stacks, Template};
use sidestep_aws::local_config;
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::queue::SqsQueues;
use sidestep_core::event::s3::created_objects;
use sidestep_core::name::PipelineName;
use sidestep_core::parse::{Format, parse};
use sidestep_core::uri::S3Uri;
use sidestep_deploy::{Blueprint, Buckets, Options, PipelineUse, StackName, Upload, synthesise};
use sidestep_testkit::emulator::{Emulator, REGION};
use sidestep_testkit::{object, queue};

use crate::store_suites::{tables, unique};

/// Long enough for a busy machine; nothing is asserted on the time itself.
const DEADLINE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_pass_their_suites_on_the_emulator() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(emulator) = Emulator::start(folder.path()) else { return };
    let config = local_config(REGION).into_builder().endpoint_url(emulator.endpoint()).build();
    let bucket = unique("suite");
    emulator.create_bucket(&bucket);
    object::suite(&S3ObjectStore::new(&config), &bucket).await;
    tables(&config).await;
}

/// Returns the template of a project with uploads, without what needs IAM, DynamoDB or Lambda.
fn uploads_template() -> Value {
    let definition = br#"{"Version": "2020-12-01", "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "so"}}]}"#;
    let pipeline = parse(definition, Format::Json).expect("a definition").pipeline;
    let upload = Upload {
        bucket: "inbox".to_owned(),
        prefix: "new/".to_owned(),
        suffix: ".csv".to_owned(),
        object_parameters: Vec::new(),
        parameters: Vec::new(),
        listing_parameters: Vec::new(),
    };
    let pipeline = PipelineUse { pipeline, uploads: vec![upload], schedules: Vec::new() };
    let mut template = synthesise(&Blueprint {
        stack: StackName::parse("uploads").expect("legal"),
        functions: BTreeMap::new(),
        pipelines: [(PipelineName::parse("p").expect("legal"), pipeline)].into(),
        buckets: Buckets { created: ["inbox".to_owned()].into(), ..Buckets::default() },
        options: Options { alarms: false, ..Options::default() },
        place: None,
    })
    .expect("a template");
    let kept = ["AWS::Events::Rule", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy"];
    let resources = template["Resources"].as_object_mut().expect("resources");
    // The artifact bucket waits for the planner.
    resources.retain(|id, resource| {
        id != "Artifacts" && kept.iter().any(|kind| resource["Type"] == *kind)
    });
    assert_eq!(resources.len(), 8, "{:?}", resources.keys());
    let bucket = resources.iter().find(|(_, resource)| resource["Type"] == "AWS::S3::Bucket");
    let bucket = bucket.map(|(id, _)| id.clone());
    let outputs =
        json!({"Inbox": {"Value": {"Ref": bucket}}, "Uploads": {"Value": {"Ref": "Uploads"}}});
    json!({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources, "Outputs": outputs})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_objects_the_queues_and_an_uploads_way_to_the_trigger_are_right_on_localstack() {
    let folder = tempfile::tempdir().expect("a folder");
    let services = "cloudformation,events,s3,sqs,sts";
    let Some(emulator) = Emulator::localstack(folder.path(), services) else { return };
    let config = local_config(REGION).into_builder().endpoint_url(emulator.endpoint()).build();
    let bucket = unique("suite");
    emulator.create_bucket(&bucket);
    object::suite(&S3ObjectStore::new(&config), &bucket).await;

    let url =
        |name: &str| emulator.sqs("CreateQueue", &json!({ "QueueName": name }))["QueueUrl"].clone();
    let (known, timers) = (url("known"), url("timers"));
    let queues = SqsQueues::new(&config, timers.as_str().map(str::to_owned));
    let queues = queues.reporting_to(timers.as_str().map(str::to_owned));
    let known_url = known.as_str().expect("a URL");
    queue::suite(
        &queues,
        known_url,
        async || received(&emulator, &known),
        async || received(&emulator, &timers),
    )
    .await;

    let stacks = Stacks::new(&config);
    let template = Template::Text(uploads_template().to_string());
    let proposal = stacks.propose("uploads", &template, &BTreeMap::new()).await.expect("proposed");
    let stack = stacks.apply(proposal.expect("new"), &mut |_| ()).await.expect("made");
    let again = stacks.propose("uploads", &template, &BTreeMap::new()).await.expect("proposed");
    assert!(again.is_none(), "nothing changed");
    let inbox = &stack.outputs["Inbox"];
    for key in ["new/a.csv", "new/a.txt", "old/a.csv"] {
        let uri = S3Uri::new(inbox.clone(), key);
        S3ObjectStore::new(&config).replace(&uri, "1".into()).await.expect("uploaded");
    }
    let queue = json!(stack.outputs["Uploads"]);
    let until = Instant::now() + DEADLINE;
    let mut events = Vec::new();
    while events.is_empty() {
        assert!(Instant::now() < until, "no upload arrives");
        events.extend(received(&emulator, &queue));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    events.extend(received(&emulator, &queue));
    let objects: Vec<_> =
        events.iter().flat_map(|event| created_objects(event).expect("an upload")).collect();
    let [object] = objects.as_slice() else { panic!("{objects:?}") };
    assert_eq!((&object.bucket, object.key.as_str()), (inbox, "new/a.csv"));
    assert!(
        object.version_id.is_some() && object.at_ms.is_some() && object.size == 1,
        "{object:?}"
    );
    stacks.remove("uploads", &mut |_| ()).await.expect("deleted");
}

/// Receives and deletes what a queue has to give now.
fn received(emulator: &Emulator, queue: &Value) -> Vec<Value> {
    let mut bodies = Vec::new();
    loop {
        let asked = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10});
        let answer = emulator.sqs("ReceiveMessage", &asked);
        let Some(messages) = answer["Messages"].as_array().filter(|all| !all.is_empty()) else {
            return bodies;
        };
        for message in messages {
            let body = message["Body"].as_str().unwrap_or_default();
            bodies.push(serde_json::from_str(body).expect("JSON"));
            let held = json!({"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]});
            emulator.sqs("DeleteMessage", &held);
        }
    }
}
