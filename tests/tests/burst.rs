//! A burst of uploads: none is lost and none counts twice.
//!
//! `SIDESTEP_BURST=1000 cargo test -p sidestep-tests --release --test burst -- --nocapture` uploads
//! more, and prints how long it took.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests may")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};
use sidestep_aws::SdkConfig;
use sidestep_aws::object::S3ObjectStore;
use sidestep_core::event::trigger::Trigger;
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::name::{FunctionName, PipelineName};
use sidestep_core::parse::Format;
use sidestep_core::uri::S3Uri;
use sidestep_engine::engine::Engine;
use sidestep_engine::handle::probe::{Station, probe_key};
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::executions::Summary;
use sidestep_engine::ports::objects::ObjectStore as _;
use sidestep_local::cloud::{Cloud, Ports, config_of};
use sidestep_local::deployment::{Planner, create_resources, deploy, local_engine, register_step};
use sidestep_local::lambda::{Code, Command, FunctionConfig};

/// Uploads without `SIDESTEP_BURST`.
const UPLOADS: usize = 200;
/// Uploads under way at a time.
const AT_ONCE: usize = 32;
/// Long enough for a busy machine; nothing is asserted on the time itself.
const DEADLINE: Duration = Duration::from_mins(5);

/// Starts a cloud whose bucket `inbox` starts a pipeline of one step, for each upload or for all of
/// so many seconds.
async fn start(folder: &std::path::Path, batch_seconds: Option<u32>) -> (Cloud, Arc<Engine>) {
    let mut cloud = Cloud::start(folder, Ports::default()).await.unwrap();
    create_resources(&cloud).await.unwrap();
    cloud.open_doors();
    let options = EngineOptions { is_sole_planner: true, ..EngineOptions::default() };
    let engine = Arc::new(local_engine(cloud.endpoints(), options));
    let program = PathBuf::from(env!("CARGO_BIN_EXE_noop-step"));
    let command = Command { program, ..Command::default() };
    let name = FunctionName::parse("noop").unwrap();
    let mut function = FunctionConfig::new(name, Code::Process(command));
    function.timeout = Duration::from_mins(1);
    "noop".clone_into(&mut function.code_sha256);
    register_step(&cloud, function).unwrap();
    let pipeline = json!({"Version": "2020-12-01", "Parameters": [{"Name": "Uri", "Type": "String"}],
        "Steps": [{"Name": "Scan", "Type": "Lambda", "FunctionArn": "noop",
            "Arguments": {"Value": {"Get": "Parameters.Uri"}},
            "OutputParameters": [{"OutputName": "Value", "OutputType": "String"}]}]});
    let definition = Definition { text: pipeline.to_string(), format: Format::Json };
    let property = if batch_seconds.is_some() { "$.listing" } else { "$.uri" };
    let trigger = Trigger {
        pipeline_name: PipelineName::parse("scan").unwrap(),
        definition_digest: engine.register(&definition).await.unwrap(),
        definition_format: Format::Json,
        bucket: "inbox".to_owned(),
        prefix: "new/".to_owned(),
        suffix: ".csv".to_owned(),
        parameters: [("Uri".to_owned(), property.to_owned())].into(),
        batch_seconds,
        left_out: BTreeMap::new(),
    };
    deploy(&mut cloud, &engine, &[trigger], Planner::InProcess).await.unwrap();
    (cloud, engine)
}

/// Waits until there are `count` executions and all have ended, and returns them.
async fn ended(engine: &Engine, count: usize) -> Vec<Summary> {
    let until = Instant::now() + DEADLINE;
    loop {
        let list = engine.executions().list(None, 2 * UPLOADS).await.unwrap();
        if list.len() >= count && list.iter().all(|one| one.status.is_over()) {
            return list;
        }
        assert!(Instant::now() < until, "{} of {count} executions began", list.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns what the step of each execution was given.
async fn values(engine: &Engine, executions: &[Summary]) -> Vec<String> {
    let value = async |one: &Summary| {
        let description = engine.describe(&one.execution_id).await.unwrap();
        description.steps[0].output_parameters["Value"].as_str().unwrap().to_owned()
    };
    futures::stream::iter(executions).then(value).collect().await
}

/// Returns the URIs of so many uploads, sorted.
fn uploaded(count: usize) -> Vec<String> {
    let mut uris: Vec<_> = (0..count).map(|n| format!("s3://inbox/new/{n}.csv")).collect();
    uris.sort_unstable();
    uris
}

/// Returns a configuration for the S3 of `cloud`, which it reaches as other processes do.
fn outside(cloud: &Cloud) -> SdkConfig {
    let config = config_of(&cloud.endpoints().credentials);
    config.into_builder().endpoint_url(&cloud.endpoints().s3).build()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_uploads_starts_one_execution_for_each() {
    let asked = std::env::var("SIDESTEP_BURST");
    let uploads = asked.map_or(UPLOADS, |text| text.parse().expect("SIDESTEP_BURST is a number"));
    let folder = tempfile::tempdir().unwrap();
    let (cloud, engine) = start(folder.path(), None).await;
    let config = outside(&cloud);
    let store = &S3ObjectStore::new(&config);

    let begun = Instant::now();
    let sent = futures::stream::iter(0..uploads).map(|number| async move {
        let uri = S3Uri::new("inbox", format!("new/{number}.csv"));
        store.replace(&uri, format!("row {number}").into()).await.unwrap();
        // Neither prefix nor suffix: these start nothing.
        if number % 10 == 0 {
            let uri = S3Uri::new("inbox", format!("old/{number}.csv"));
            store.replace(&uri, "x".into()).await.unwrap();
        }
    });
    sent.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let sent = begun.elapsed();
    let executions = ended(&engine, uploads).await;
    let all = begun.elapsed();
    println!(
        "{uploads} uploads sent in {:.1} s, {} executions started, all over after {:.1} s",
        sent.as_secs_f64(),
        executions.len(),
        all.as_secs_f64()
    );
    assert_eq!(executions.len(), uploads);
    assert!(executions.iter().all(|one| one.status == ExecutionStatus::Succeeded));

    // One for each, and with its own object.
    let mut uris = values(&engine, &executions).await;
    uris.sort_unstable();
    assert_eq!(uris, uploaded(uploads));
    cloud.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_one_window_start_one_execution_together() {
    let folder = tempfile::tempdir().unwrap();
    let (cloud, engine) = start(folder.path(), Some(2)).await;
    let config = outside(&cloud);
    let store = &S3ObjectStore::new(&config);
    let sent = futures::stream::iter(0..UPLOADS).map(|number| async move {
        let uri = S3Uri::new("inbox", format!("new/{number}.csv"));
        store.replace(&uri, format!("row {number}").into()).await.unwrap();
    });
    sent.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;

    let until = Instant::now() + DEADLINE;
    let (executions, mut uris) = loop {
        let executions = ended(&engine, 1).await;
        let mut uris = Vec::new();
        for listing in values(&engine, &executions).await {
            let listing = S3Uri::parse(&listing).unwrap();
            let bytes = store.get(&listing, 1 << 20).await.unwrap().unwrap();
            let document: Value = serde_json::from_slice(&bytes).unwrap();
            let objects = document["Objects"].as_array().unwrap();
            uris.extend(objects.iter().map(|one| one["Uri"].as_str().unwrap().to_owned()));
        }
        if uris.len() >= UPLOADS {
            break (executions, uris);
        }
        assert!(Instant::now() < until, "{} of {UPLOADS} uploads were started", uris.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    uris.sort_unstable();
    assert_eq!(uris, uploaded(UPLOADS));
    println!("{UPLOADS} uploads in {} executions", executions.len());
    // How many windows there are depends on the machine. Of the uploads under way at once, some
    // share one.
    assert!(executions.len() < UPLOADS, "no window holds more than one upload");
    cloud.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_event_arrives_many_times_starts_one_execution() {
    let folder = tempfile::tempdir().unwrap();
    let (cloud, engine) = start(folder.path(), None).await;
    let event = |version: &str| {
        json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "inbox"},
            "object": {"key": "new/a.csv", "size": 1, "eTag": "e", "versionId": version, "sequencer": "01"}}}]})
    };
    let same: Vec<Value> =
        futures::future::try_join_all((0..10).map(|_| engine.uploaded(event("one"))))
            .await
            .unwrap();
    let started: Vec<_> = same.iter().map(|answer| answer["Started"].clone()).collect();
    assert!(started.iter().all(|ids| ids[0].is_string() && *ids == started[0]), "{started:?}");
    assert_eq!(ended(&engine, 1).await.len(), 1);
    engine.uploaded(event("two")).await.unwrap();
    assert_eq!(ended(&engine, 2).await.len(), 2, "another version is another upload");
    cloud.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_takes_the_way_of_an_upload_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (cloud, engine) = start(folder.path(), None).await;
    let config = outside(&cloud);
    let store = S3ObjectStore::new(&config);
    let id = engine.new_probe();
    let key = probe_key("new/", &id, ".csv");
    assert!(!engine.has_passed(&id, Station::Planner).await.unwrap());
    store.replace(&S3Uri::new("inbox", key), "".into()).await.unwrap();
    let until = Instant::now() + DEADLINE;
    while !engine.has_passed(&id, Station::Planner).await.unwrap() {
        assert!(Instant::now() < until, "the probe does not arrive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(engine.has_passed(&id, Station::Trigger).await.unwrap());
    cloud.drained(DEADLINE).await;
    assert_eq!(engine.executions().list(None, 10).await.unwrap(), []);
    engine.forget_probe(&id).await.unwrap();
    assert!(!engine.has_passed(&id, Station::Planner).await.unwrap());
    cloud.shutdown(Duration::ZERO).await;
}
