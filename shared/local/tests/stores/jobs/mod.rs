//! SageMaker's jobs, over the service's answers and the objects that jobs leave.

mod processing;
mod registry;
mod training;

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use sidestep_local::cloud::{Cloud, Ports};
use sidestep_local::jobs::{ImageUse, Images, JobKind, JobsServer, Prepared};

/// The Python on the path stands in for every image but one.
#[derive(Debug)]
struct Plain;

impl Images for Plain {
    fn check(&self, wanted: &ImageUse) -> Result<(), String> {
        if wanted.image == "unknown" {
            Err("Image 'unknown' cannot run".to_owned())
        } else {
            Ok(())
        }
    }

    fn prepare(&self, wanted: &ImageUse) -> Result<Prepared, String> {
        if wanted.image == "broken" {
            return Err("ClientError: No matching distribution found for nothing==1".to_owned());
        }
        let (interpreter, version) = python();
        Ok(Prepared {
            interpreter: interpreter.into(),
            version: version.clone(),
            environment: None,
            program: None,
            variables: [("OF_IMAGE".to_owned(), "yes".to_owned())].into(),
            note: "the Python on the path".to_owned(),
        })
    }
}

/// Returns the interpreter and its version.
fn python() -> &'static (String, String) {
    static PYTHON: OnceLock<(String, String)> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let code = "import sys; print(getattr(sys, '_base_executable', None) or sys.executable); \
            print('.'.join(map(str, sys.version_info[:3])))";
        let output = Command::new("python3").args(["-c", code]).output().expect("python3 runs");
        let text = String::from_utf8(output.stdout).expect("text");
        let mut lines = text.lines().map(str::to_owned);
        (lines.next().expect("a path"), lines.next().expect("a version"))
    })
}

struct Bench {
    cloud: Cloud,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Bench {
    async fn start(folder: &Path) -> Self {
        let cloud = Cloud::start(folder, Ports::default()).await.unwrap();
        cloud.open_doors();
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = events.clone();
        cloud.jobs().set_images(Arc::new(Plain));
        cloud.jobs().set_listener(Arc::new(move |event| sink.lock().push(event)));
        cloud.jobs().start().unwrap();
        cloud.s3().create_bucket("data").await.unwrap();
        Self { cloud, events }
    }

    fn client(&self) -> aws_sdk_s3::Client {
        let base = self.cloud.config().into_builder();
        let shared = base.endpoint_url(&self.cloud.endpoints().s3).build();
        let config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    async fn put(&self, key: &str, body: &str) {
        let body = body.to_owned().into_bytes().into();
        self.client().put_object().bucket("data").key(key).body(body).send().await.unwrap();
    }

    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let object = self.client().get_object().bucket("data").key(key).send().await.ok()?;
        Some(object.body.collect().await.unwrap().to_vec())
    }

    async fn text(&self, key: &str) -> Option<String> {
        self.get(key).await.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    async fn call(&self, operation: &str, request: &Value) -> (u16, Value) {
        let body = request.to_string();
        self.cloud.jobs().answer(operation, body.as_bytes()).await.expect("it is known")
    }

    async fn accepted(&self, operation: &str, request: &Value) -> Value {
        let (status, answer) = self.call(operation, request).await;
        assert_eq!(status, 200, "{operation}: {answer}");
        answer
    }

    /// Waits until a job has ended and returns its description.
    async fn ended(&self, kind: JobKind, name: &str) -> Value {
        let (operation, member) =
            (format!("Describe{}", kind.noun()), format!("{}Name", kind.noun()));
        loop {
            let described = self.accepted(&operation, &json!({ member.as_str(): name })).await;
            let status = described[format!("{}Status", kind.noun())].clone();
            if status != "InProgress" && status != "Stopping" {
                return described;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn log(&self, kind: JobKind, name: &str) -> String {
        let key = JobsServer::log_key(kind, name).unwrap();
        key.read(&self.cloud.folder().path().join("logs")).unwrap()
    }
}
