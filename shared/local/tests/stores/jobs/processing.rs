//! Processing jobs: the container, the outputs, failures, and refusals.

use std::time::Duration;

use serde_json::{Value, json};
use sidestep_local::jobs::JobKind;

use super::Bench;

impl Bench {
    async fn process(&self, name: &str, script: &str, mode: &str) -> Value {
        self.put(&format!("code/{name}.py"), script).await;
        self.accepted("CreateProcessingJob", &processing(name, mode)).await;
        self.ended(JobKind::Processing, name).await
    }
}

fn processing(name: &str, mode: &str) -> Value {
    let input = |name: &str, uri: &str, path: &str| {
        json!({ "InputName": name, "S3Input": { "S3Uri": uri, "LocalPath": path,
            "S3DataType": "S3Prefix", "S3InputMode": "File" } })
    };
    let code = "/opt/ml/processing/input/code";
    json!({
        "ProcessingJobName": name,
        "RoleArn": "arn:aws:iam::000000000000:role/r",
        "AppSpecification": {
            "ImageUri": "plain", "ContainerEntrypoint": ["python3", format!("{code}/{name}.py")],
            "ContainerArguments": ["--rows", "2"]
        },
        "Environment": { "GIVEN": "1" },
        "ProcessingResources": { "ClusterConfig": {
            "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1 } },
        "ProcessingInputs": [
            input("code", &format!("s3://data/code/{name}.py"), code),
            input("rows", "s3://data/in/rows", "/opt/ml/processing/input/rows"),
        ],
        "ProcessingOutputConfig": { "Outputs": [{ "OutputName": "out", "S3Output": {
            "S3Uri": format!("s3://data/out/{name}"), "LocalPath": "/opt/ml/processing/out",
            "S3UploadMode": mode } }] },
        "Newer": { "kept": true },
        "Tags": [{ "Key": "k", "Value": "v" }],
    })
}

const GOOD: &str = r#"
import json, os, sys
base = "/opt/ml/processing/input/rows"
rows = sorted(os.path.relpath(os.path.join(d, f), base) for d, _, fs in os.walk(base) for f in fs)
names = ["GIVEN", "OF_IMAGE", "AWS_REGION", "PROCESSING_JOB_NAME"]
result = {"rows": rows, "args": sys.argv[1:], "env": [os.environ[name] for name in names]}
result["config"] = json.load(open("/opt/ml/config/processingjobconfig.json"))["ProcessingJobName"]
os.makedirs("/opt/ml/processing/out/deep")
json.dump(result, open("/opt/ml/processing/out/deep/result.json", "w"))
os.symlink("/etc/passwd", "/opt/ml/processing/out/link")
open("/opt/ml/output/message", "w").write("two rows")
print("done with", len(rows))
"#;

#[tokio::test]
async fn a_processing_job_has_its_container_and_ends_with_its_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path()).await;
    for key in ["in/rows/a.csv", "in/rows/deep/b.csv", "in/rows.csv"] {
        bench.put(key, "1").await;
    }
    let ended = bench.process("good", GOOD, "EndOfJob").await;
    assert_eq!(ended["ProcessingJobStatus"], "Completed", "{ended}");
    assert_eq!(ended["ExitMessage"], "two rows");
    assert_eq!(ended["Newer"]["kept"], true);
    assert!(ended["CreationTime"].is_f64() && ended["Tags"].is_null(), "{ended}");
    let text = bench.text("out/good/deep/result.json").await.unwrap();
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["rows"], json!(["a.csv", "deep/b.csv", "rows.csv"]));
    assert_eq!(result["args"], json!(["--rows", "2"]));
    assert_eq!(result["env"], json!(["1", "yes", "us-east-1", "good"]));
    assert_eq!(result["config"], "good");
    assert_eq!(bench.get("out/good/link").await, None);
    assert!(bench.log(JobKind::Processing, "good").contains("done with 3"));

    let (status, answer) = bench.call("CreateProcessingJob", &processing("good", "EndOfJob")).await;
    assert_eq!((status, answer["__type"].as_str()), (400, Some("ResourceInUse")));
    let of_job = json!({ "ResourceArn": JobKind::Processing.arn("good") });
    let tags = bench.accepted("ListTags", &of_job).await;
    assert_eq!(tags["Tags"], json!([{ "Key": "k", "Value": "v" }]));
    let event = bench.events.lock().pop().expect("an event");
    assert_eq!(event["detail-type"], "SageMaker Processing Job State Change");
    assert_eq!(event["detail"]["ProcessingJobStatus"], "Completed");
    let listed =
        bench.accepted("ListProcessingJobs", &json!({ "StatusEquals": "Completed" })).await;
    assert_eq!(listed["ProcessingJobSummaries"][0]["ProcessingJobName"], "good");
    let name = json!({ "ProcessingJobName": "good" });
    let (_, answer) = bench.call("StopProcessingJob", &name).await;
    assert!(answer["message"].as_str().unwrap().contains("is in status Completed"), "{answer}");
    bench.accepted("DeleteProcessingJob", &name).await;
    let (_, answer) = bench.call("DescribeProcessingJob", &name).await;
    assert_eq!(answer["message"], "Requested resource not found.");
}

#[tokio::test]
async fn a_processing_job_that_fails_says_why_and_leaves_no_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path()).await;
    bench.put("in/rows/a.csv", "1").await;
    let fails = "open('/opt/ml/processing/out/part', 'w').write('1'); raise ValueError('boom')";
    let forks = "import os, time\nif os.fork() == 0:\n  os.setsid(); time.sleep(3600)\n";
    for (name, script, mode, status, reason) in [
        ("fails", fails, "EndOfJob", "Failed", "ValueError: boom, exit code: 1"),
        ("continues", fails, "Continuous", "Failed", "AlgorithmError: "),
        ("exits", "import sys; sys.exit(7)", "EndOfJob", "Failed", "exit code: 7"),
        ("killed", "import os; os.kill(os.getpid(), 9)", "EndOfJob", "Failed", "exit code: 137"),
        ("forks", forks, "EndOfJob", "Completed", ""),
    ] {
        let ended = bench.process(name, script, mode).await;
        assert_eq!(ended["ProcessingJobStatus"], status, "{name}: {ended}");
        let found = ended["FailureReason"].as_str().unwrap_or_default();
        assert!(found.contains(reason), "{name}: {found}");
    }
    assert_eq!(bench.get("out/fails/part").await, None);
    assert_eq!(bench.text("out/continues/part").await.as_deref(), Some("1"));

    let mut missing = processing("missing", "EndOfJob");
    missing["ProcessingInputs"][1]["S3Input"]["S3Uri"] = "s3://data/nothing".into();
    bench.put("code/missing.py", "").await;
    bench.accepted("CreateProcessingJob", &missing).await;
    let ended = bench.ended(JobKind::Processing, "missing").await;
    let reason = ended["FailureReason"].as_str().unwrap();
    assert!(reason.starts_with("ClientError: ") && reason.contains("No S3 objects"), "{reason}");
    let mut broken = processing("broken", "EndOfJob");
    broken["AppSpecification"]["ImageUri"] = "broken".into();
    bench.accepted("CreateProcessingJob", &broken).await;
    let ended = bench.ended(JobKind::Processing, "broken").await;
    assert_eq!(ended["ProcessingJobStatus"], "Failed");
    assert!(ended["FailureReason"].as_str().unwrap().contains("No matching distribution"));
}

#[tokio::test]
async fn a_request_that_sagemaker_would_refuse_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path()).await;
    let with = |pointer: &str, value: Value| {
        let mut request = processing("a", "EndOfJob");
        *request.pointer_mut(pointer).expect("a member") = value;
        request
    };
    for (request, kind, words) in [
        (with("/ProcessingJobName", "a_b".into()), "ValidationException", "pattern"),
        (with("/RoleArn", Value::Null), "ValidationException", "'roleArn'"),
        (with("/AppSpecification/ImageUri", "unknown".into()), "ValidationException", "cannot run"),
        (with("/Environment", json!([])), "SerializationException", "'environment'"),
        (with("/ProcessingInputs/1/InputName", "code".into()), "ValidationException", "unique"),
        (
            with("/ProcessingInputs/0/S3Input/LocalPath", "/x".into()),
            "ValidationException",
            "/opt/ml",
        ),
    ] {
        let (status, answer) = bench.call("CreateProcessingJob", &request).await;
        assert_eq!((status, answer["__type"].as_str()), (400, Some(kind)), "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
    }
    assert!(bench.cloud.jobs().answer("CreatePipeline", b"{}").await.is_none());
    let tags = json!({ "ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p" });
    assert!(bench.cloud.jobs().answer("ListTags", tags.to_string().as_bytes()).await.is_none());
}

#[tokio::test]
async fn a_job_that_was_cut_off_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path()).await;
    bench.put("in/rows/a.csv", "1").await;
    let script = "import os, time\nopen('/opt/ml/processing/out/a', 'w').write('1')\n\
        while not os.path.exists('/opt/ml/processing/input/rows/go'): time.sleep(0.01)\n";
    bench.put("code/cut.py", script).await;
    bench.accepted("CreateProcessingJob", &processing("cut", "EndOfJob")).await;
    bench.put("in/rows/go", "1").await;
    bench.cloud.shutdown(Duration::ZERO).await;

    let bench = Bench::start(folder.path()).await;
    let ended = bench.ended(JobKind::Processing, "cut").await;
    assert_eq!(ended["ProcessingJobStatus"], "Completed", "{ended}");
    assert_eq!(bench.text("out/cut/a").await.as_deref(), Some("1"));
}
