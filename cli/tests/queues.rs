//! A function that a queue invokes answers a Callback step through SageMaker's API.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Answers each message as its arguments ask.
const WORKER: &str = "import json, boto3
client = boto3.client('sagemaker')
def handler(event, context):
    for record in event['Records']:
        assert record['eventSourceARN'].endswith(':approvals'), record
        message = json.loads(record['body'])
        if message['arguments']['Fails']:
            client.send_pipeline_execution_step_failure(CallbackToken=message['token'], FailureReason='not today')
        else:
            client.send_pipeline_execution_step_success(CallbackToken=message['token'],
                OutputParameters=[{'Name': 'Double', 'Value': str(2 * message['arguments']['n'])}])
    return {'batchItemFailures': []}
";

const SETTINGS: &str = r#"
[engine]
rights = "enforce"
[functions.worker]
runtime = "python3.12"
handler = "h.handler"
path = "worker"
timeout_seconds = 30

[[functions.worker.queues]]
name = "approvals"
batch_size = 1
report_batch_item_failures = true

[pipelines.p]
definition = "p.json"
"#;

const DEFINITION: &str = r#"{"Version": "2020-12-01", "Steps": [
    {"Name": "Ask", "Type": "Callback", "Arguments": {"n": 21, "Fails": false},
        "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/approvals",
        "OutputParameters": [{"OutputName": "Double", "OutputType": "Integer"}]},
    {"Name": "Refuse", "Type": "Callback", "Arguments": {"n": 1, "Fails": true},
        "OnFailure": "Continue", "DependsOn": ["Ask"],
        "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/approvals"}]}"#;

#[test]
fn a_queue_invokes_a_function_that_answers_callbacks_through_the_api() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    fs::create_dir(folder.join("worker")).unwrap();
    fs::write(folder.join("worker/h.py"), WORKER).unwrap();
    fs::write(folder.join("sidestep.toml"), SETTINGS).unwrap();
    fs::write(folder.join("p.json"), DEFINITION).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.current_dir(folder).args(["run", "p", "--json"]).stdin(Stdio::null());
    let output = command.env_remove("SIDESTEP_STATE_DIR").output().unwrap();
    if output.stdout.is_empty() {
        eprintln!("NOT TESTED: there is no Python here");
        assert!(std::env::var_os("CI").is_none(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let execution: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = execution["Steps"].as_array().unwrap();
    let step = |name: &str| steps.iter().find(|step| step["StepName"] == name).unwrap();
    assert_eq!(step("Ask")["OutputParameters"]["Double"], 42, "{execution:#}");
    assert_eq!(step("Refuse")["FailureReason"], "not today", "{execution:#}");
}
