//! Training jobs: scripts, metrics, models, and how they are stopped.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use sidestep_local::jobs::JobKind;

use super::Bench;

const TRAIN: &str = r#"
import argparse, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--name")
parser.add_argument("--fail", default="")
args, _ = parser.parse_known_args()
print(os.environ["SM_CHANNEL_TRAIN"], os.environ["SM_HP_NAME"], os.environ["SM_USER_ARGS"])
for epoch in range(args.epochs):
    print(f"epoch {epoch} acc={0.5 + epoch / 10}")
open(os.path.join(os.environ["SM_MODEL_DIR"], "model.bin"), "w").write(args.name)
if args.fail:
    raise RuntimeError(args.fail)
"#;

fn training(name: &str, hyperparameters: &Value) -> Value {
    json!({
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::000000000000:role/r",
        "AlgorithmSpecification": { "TrainingImage": "plain", "TrainingInputMode": "File",
            "MetricDefinitions": [{ "Name": "acc", "Regex": "acc=([0-9.]+)" }] },
        "HyperParameters": hyperparameters,
        "InputDataConfig": [{ "ChannelName": "train", "DataSource": { "S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": "s3://data/in/" } } }],
        "OutputDataConfig": { "S3OutputPath": "s3://data/models" },
        "ResourceConfig": {
            "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1 },
        "StoppingCondition": { "MaxRuntimeInSeconds": 60 },
    })
}

/// Returns the bytes of an archive with one file.
fn archive(name: &str, text: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    let tar = Command::new("tar").args(["-czf", "-", name]).current_dir(folder.path()).output();
    tar.unwrap().stdout
}

#[tokio::test]
async fn a_script_of_sdk_2_trains_as_with_the_training_toolkit() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path()).await;
    bench.put("in/a.csv", "1").await;
    let body = archive("train.py", TRAIN).into();
    let put = bench.client().put_object().bucket("data").key("src/sourcedir.tar.gz").body(body);
    put.send().await.unwrap();
    let given = |more: Value| {
        let mut all = json!({ "sagemaker_program": "\"train.py\"", "epochs": "3", "name": "\"x y\"",
            "sagemaker_submit_directory": "\"s3://data/src/sourcedir.tar.gz\"" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    bench.accepted("CreateTrainingJob", &training("fine", &given(json!({})))).await;
    let ended = bench.ended(JobKind::Training, "fine").await;
    assert_eq!(ended["TrainingJobStatus"], "Completed", "{ended}");
    assert_eq!(ended["SecondaryStatus"], "Completed");
    assert_eq!(ended["FinalMetricDataList"][0]["Value"], 0.7);
    let model = "s3://data/models/fine/output/model.tar.gz";
    assert_eq!(ended["ModelArtifacts"]["S3ModelArtifacts"], model);
    assert!(bench.get("models/fine/output/model.tar.gz").await.is_some());
    let log = bench.log(JobKind::Training, "fine");
    assert!(log.contains("x y [\"--epochs\",\"3\",\"--name\",\"x y\"]"), "{log}");

    let failing = given(json!({ "fail": "\"boom\"" }));
    bench.accepted("CreateTrainingJob", &training("fails", &failing)).await;
    let ended = bench.ended(JobKind::Training, "fails").await;
    let reason = ended["FailureReason"].as_str().unwrap();
    assert!(reason.starts_with("AlgorithmError: ExecuteUserScriptError:\nExitCode 1"), "{reason}");
    assert!(
        reason.contains("RuntimeError: boom") && reason.ends_with(", exit code: 1"),
        "{reason}"
    );
    assert_eq!(bench.get("models/fails/output/model.tar.gz").await, None);
}

#[tokio::test]
async fn a_job_is_stopped_and_one_that_takes_too_long_too() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path()).await;
    bench.put("in/a.csv", "1").await;
    let sleeps = |name: &str, seconds: u64| {
        let mut request = training(name, &json!({}));
        let script = "echo 1 > /opt/ml/model/a; echo begun; exec sleep 600";
        request["AlgorithmSpecification"]["ContainerEntrypoint"] = json!(["/bin/sh", "-c", script]);
        request["StoppingCondition"]["MaxRuntimeInSeconds"] = seconds.into();
        request
    };
    bench.accepted("CreateTrainingJob", &sleeps("stopped", 600)).await;
    let name = json!({ "TrainingJobName": "stopped" });
    while bench.accepted("DescribeTrainingJob", &name).await["SecondaryStatus"] != "Training" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bench.accepted("StopTrainingJob", &name).await;
    let ended = bench.ended(JobKind::Training, "stopped").await;
    assert_eq!(ended["TrainingJobStatus"], "Stopped");
    bench.accepted("CreateTrainingJob", &sleeps("long", 1)).await;
    let ended = bench.ended(JobKind::Training, "long").await;
    assert_eq!(ended["TrainingJobStatus"], "Stopped");
    assert_eq!(ended["SecondaryStatus"], "MaxRuntimeExceeded");
    assert!(bench.get("models/long/output/model.tar.gz").await.is_some());
}
