//! Python functions through `awslambdaric`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command as Run,
};

use serde_json::json;
use sidestep_local::lambda::Command;
use tempfile::TempDir;

use crate::fixture::{TestHost, config};

const FUNCTION: &str = r#"
import sys

def handler(event, context):
    print("month", event["month"])
    if event["month"] == "2013-13":
        raise ValueError("no such month")
    print("on stderr", file=sys.stderr)
    return {"month": event["month"], "id": context.aws_request_id, "ms": context.get_remaining_time_in_millis()}
"#;

/// Makes a virtual environment with `awslambdaric`.
///
/// Returns `None`, with a note, where that cannot be done; on CI that is a failure.
fn python(folder: &Path) -> Option<PathBuf> {
    let run = |program: &Path, args: &[&str]| match Run::new(program).args(args).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    };
    let environment = folder.join("venv");
    let python = environment.join("bin/python");
    let made = run(Path::new("python3"), &["-m", "venv", &environment.to_string_lossy()])
        .and_then(|()| run(&python, &["-m", "pip", "install", "--quiet", "awslambdaric"]));
    match made {
        Ok(()) => Some(python),
        Err(reason) => {
            assert!(env::var("CI").as_deref() != Ok("true"), "no python on CI: {reason}");
            eprintln!("SKIPPED: python functions, because awslambdaric is not available: {reason}");
            None
        }
    }
}

fn register(test: &TestHost, folder: &TempDir, python: &Path, handler: &str) {
    fs::write(folder.path().join("app.py"), FUNCTION).unwrap();
    let command = Command {
        program: python.to_owned(),
        args: ["-m", "awslambdaric", handler].map(Into::into).to_vec(),
        working_dir: Some(folder.path().to_owned()),
        runtime: "python3.13".to_owned(),
        handler: handler.to_owned(),
        ..Command::default()
    };
    test.host.register(config("report", command)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_function_runs_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(python) = python(folder.path()) else { return };
    let test = TestHost::new();
    register(&test, &folder, &python, "app.handler");

    let output = test.call("report", &json!({ "month": "2013-01" })).await;
    assert_eq!(output.function_error, None, "{:?}", output.payload);
    let answer: serde_json::Value = serde_json::from_slice(&output.payload).unwrap();
    assert_eq!(answer["month"], "2013-01");
    assert_eq!(answer["id"], json!(output.request_id));
    assert!((1..=120_000).contains(&answer["ms"].as_u64().unwrap()));
    let log = test.host.logs(&output.request_id).unwrap();
    assert!(log.contains("\tmonth 2013-01\n") && log.contains("\ton stderr\n"), "{log}");

    let failed = test.call("report", &json!({ "month": "2013-13" })).await;
    let document: serde_json::Value = serde_json::from_slice(&failed.payload).unwrap();
    assert_eq!(document["errorType"], "ValueError");
    assert_eq!(document["errorMessage"], "no such month");
    assert!(test.host.logs(&failed.request_id).unwrap().contains("[ERROR] ValueError"));
    assert_eq!(test.host.counts().environments_started, 1, "an exception keeps the environment");

    register(&test, &folder, &python, "nowhere.handler");
    let missing = test.error("report", &json!({})).await;
    assert!(missing.contains("Runtime.ImportModuleError"), "{missing}");
}
